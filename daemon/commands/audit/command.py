"""`phototriage audit` and its options."""

import sys
from datetime import datetime
from pathlib import Path

import click

from common.options import json_option
from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import check_one, one_inbox_option, service_option, since_option


@click.command()
@one_inbox_option
@service_option
@click.option(
    "--photos", type=click.IntRange(min=0), default=50, show_default=True, help="How many to ask about; 0: only show."
)
@since_option
@click.option("--model", metavar="HASH", help="Draw from what this model filed; the one in use if left out.")
@click.option(
    "--export",
    "folder",
    type=FolderOrFile(),
    metavar="DIR",
    help="Write the photos into this new folder, with a table to fill in, instead of asking.",
)
@json_option("the figures as one JSON object")
@click.pass_context
def audit(
    ctx: click.Context,
    inbox: Path | None,
    service: str | None,
    photos: int,
    since: datetime | None,
    model: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure the filing: ask blind about photos drawn at random.

    In a terminal you are asked for the class of each photo: the class, `none`, or Enter to skip it. Each lies in a
    temporary folder under a name that tells nothing; open it with any program. What you answer is kept at once, and the
    next call goes on where you stopped. Answers are no labels, and no model learns from them. Without a terminal, and
    with --json or --photos 0, the figures so far are shown.

    With --export, copies of the photos are written into a folder, with answers.csv: fill in the column `class`, and
    read it with `labels import`, as often as you like.

    \b
    Examples:
      phototriage audit
      phototriage audit --inbox ~/inbox --photos 100 --since 2026-11-01
      phototriage audit --export to-answer
      phototriage labels import to-answer/answers.csv
      phototriage audit --json | jq .models[0].accuracy
    """
    from daemon.commands.audit.ask import ask, write_export
    from daemon.commands.audit.show import show
    from daemon.ledger.reading import one_ledger

    check_one(inbox, service)
    if as_json and folder is not None:
        raise click.UsageError("--json and --export cannot be combined.")
    asks = sys.stdin.isatty() and not as_json and photos > 0
    if (
        not asks
        and folder is None
        and (given := [name for name in ("photos", "since", "model") if _is_given(ctx, name)])
    ):
        raise click.UsageError(f"--{given[0]} draws photos: call `audit` in a terminal, or add --export DIR.")
    ledger, since_s = one_ledger(inbox, service), since.timestamp() if since else 0.0
    if folder is not None:
        if not photos:
            raise click.UsageError("--export needs photos: leave out --photos 0.")
        write_export(ledger, model, photos, since_s, folder.absolute())
        return
    if asks:
        ask(ledger, model, photos, since_s)
    show(ledger, as_json=as_json)


def _is_given(ctx: click.Context, name: str) -> bool:
    is_said = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    return is_said and ctx.params[name] != 0
