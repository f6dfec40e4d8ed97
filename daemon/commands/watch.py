"""`phototriage watch` and `phototriage sort`: the same way of a photo, until stopped or once."""

import os

import click

from daemon.commands.watch_options import options, refuse_unknown_environment
from daemon.settings import Settings


@click.command()
@options
def watch(settings: Settings) -> None:
    """File each photo that arrives in a folder, until stopped.

    Photos already there are filed too. A photo that cannot be read goes to OUTPUT/_failed with its reason beside it;
    what is no photo stays in the inbox. Nothing is ever overwritten: a taken name gets a number. Stop with Ctrl-C or
    SIGTERM; what is under way finishes, the rest stays in the inbox. Filing waits for nobody who reads its lines: 16 MB
    of them wait, then lines of filed photos are left out and counted. Every option is also an environment variable
    (PHOTOTRIAGE_INBOX) and a key of the --config file (inbox); flags win over variables, variables over the file.

    A new model takes over without a stop when the model's file changes, or at once on SIGHUP (`systemctl reload`); one
    that does not keep its contract is refused, and the old one works on. Settings are read at the start alone.

    \b
    Examples:
      phototriage watch --inbox ~/inbox --output ~/sorted
      phototriage watch --inbox ~/inbox --output ~/sorted --model model.onnx --review-below 0.6
    """
    _serve(settings, once=False)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go where; touch nothing, not even the ledger.")
@options
def sort(settings: Settings) -> None:
    """File the photos of a folder under their classes, then exit.

    The same path as `watch`, once. Exits with 1 if it was stopped early, or if photos had to stay that should have
    been filed, as when the output cannot be written. A photo that cannot be read, but changed less than
    --give-up-after ago, is waited for. A script that reads its lines gets each of them, however slow it is; one that
    has read nothing for 10 s is not waited for.

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
    # Nothing here multiplies matrices, but numpy's threads for it, one a core, would spin for 0.1 s at the start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from daemon.service import serve  # onnxruntime, Pillow and SQLite are not needed to print help

    report = serve(settings, once=once)
    if once and (report.waiting or report.cut_short):
        click.get_current_context().exit(1)
