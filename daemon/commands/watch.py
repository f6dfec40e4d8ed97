"""`phototriage watch` and `phototriage sort`: file photos until stopped, or once."""

import os

import click

from daemon.commands.folder_arguments import OneInbox
from daemon.commands.watch_options import options, refuse_unknown_environment
from daemon.settings import Settings


@click.command(cls=OneInbox)
@options
def watch(settings: Settings) -> None:
    """File each photo that arrives in a folder, until stopped.

    Photos already there are filed too. An unreadable photo goes to OUTPUT/_failed, with the reason beside it. Other
    files are left alone. Nothing is ever overwritten: if a name is taken, the photo gets a number. Stop with Ctrl-C or
    SIGTERM: photos under way are filed, the rest stay in the inbox. A slow reader of these lines does not delay filing:
    16 MB of lines are kept, then lines of filed photos are left out and counted. Every option is also an environment
    variable (PHOTOTRIAGE_INBOX) and a key of the --config file (inbox). Flags win over variables, variables over the
    file.

    When the model's file changes, or on SIGHUP (`systemctl reload`), the daemon loads the new model without a stop. A
    model that breaks its contract is refused, and the old one stays in use. Settings are read only at the start.

    \b
    Examples:
      phototriage watch --inbox ~/inbox --output ~/sorted
      phototriage watch --inbox ~/inbox --output ~/sorted --model model.onnx --review-below 0.6
    """
    _serve(settings, once=False)


@click.command(cls=OneInbox)
@click.option("--dry-run", is_flag=True, help="Show where each photo would go; change nothing, not even the ledger.")
@options
def sort(settings: Settings) -> None:
    """File the photos of a folder under their classes, then exit.

    Files photos as `watch` does, but once. Exits with 1 if it was stopped early, or if some photos could not be filed
    and stay in the inbox, as when the output cannot be written. `sort` waits for an unreadable photo until it has not
    changed for --give-up-after. A slow reader of its lines gets every line; `sort` stops waiting for a reader that has
    read nothing for 10 s.

    \b
    Examples:
      phototriage sort --inbox ~/Downloads/photos --output ~/sorted
      phototriage sort --inbox photos --output sorted --dry-run
      phototriage sort --inbox photos --output sorted --json | jq -r 'select(.event == "photo") | .label'
    """
    if not settings.dry_run:
        _serve(settings, once=True)
        return
    refuse_unknown_environment()
    from daemon.commands.dry_run import rehearse

    rehearse(settings)


def _serve(settings: Settings, *, once: bool) -> None:
    refuse_unknown_environment()
    # Nothing here multiplies matrices, but numpy starts one OpenBLAS thread per core, which spins for 0.1 s.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from daemon.service import serve  # imported late, because --help needs neither onnxruntime nor Pillow nor SQLite

    report = serve(settings, once=once)
    if once and (report.waiting or report.cut_short):
        click.get_current_context().exit(1)
