"""`phototriage history` and `explain`: they read the ledger and change nothing."""

from datetime import datetime
from pathlib import Path

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import (
    check_one,
    inbox_option,
    json_option,
    reason_option,
    said_option,
    service_option,
    since_option,
)
from daemon.commands.time_option import PointInTime
from daemon.photo import STATES


@click.command()
@inbox_option
@service_option
@since_option
@click.option("--until", type=PointInTime(end=True), metavar="TIME", help="As --since; a date includes the whole day.")
@click.option(
    "--label",
    metavar="CLASS",
    help="Only photos that lie in the folder of this class now, and those in _review that the model took for it; or "
    "those in a folder such as _review.",
)
@said_option
@click.option(
    "--state", type=click.Choice(STATES), multiple=True, help="Only photos with this outcome; may be repeated."
)
@reason_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows per ledger.")
@click.option("--all", "everything", is_flag=True, help="Show every row.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for a spreadsheet.")
@click.option(
    "--backup",
    type=FolderOrFile(),
    metavar="FILE",
    help="Copy the whole ledger to this new file; a daemon may be running.",
)
def history(
    inbox: Path | None,
    service: str | None,
    since: datetime | None,
    until: datetime | None,
    label: str | None,
    said: str | None,
    state: tuple[str, ...],
    reason: str | None,
    limit: int,
    everything: bool,
    as_json: bool,
    as_csv: bool,
    backup: Path | None,
) -> None:
    """Show what was filed, when and where; newest first.

    The ledger is the daemon's database of every photo that it filed. This command only reads it, and a daemon may be
    running. A photo that `undo` moved back has a row for that too. A photo that its owner moved in the output is shown
    with the class that the model gave and with the one that its owner said, as far as the last look of the daemon saw
    it. With --backup nothing is shown: a consistent copy of the ledger is written to a new file.

    \b
    Examples:
      phototriage history --since 3d --label sea
      phototriage history --state failed --state review --json | jq -r .path
      phototriage history --reason unfamiliar
      phototriage history --said street --json | jq -r .place
      phototriage history --inbox ~/inbox --csv --all > history.csv
      phototriage history --backup ledger-2026-11-20.sqlite
    """
    from daemon.commands.questions.history import ask, print_csv, print_json, print_table
    from daemon.ledger.queries import RecordFilter

    check_one(inbox, service)
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot be combined.")
    if backup is not None:
        from daemon.commands.questions.backup import back_up

        click.echo(back_up(inbox, backup, service))
        return
    since_s, until_s = (time.timestamp() if time else None for time in (since, until))
    which = RecordFilter(
        since_s=since_s, until_s=until_s, label=label, or_taken_for=True, said=said, states=state, review_reason=reason
    )
    rows = ask(inbox, which, -1 if everything else limit, service)
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(rows)
    else:
        print_table(rows)


@click.command()
@inbox_option
@click.argument("file", type=FolderOrFile())
@json_option
@click.pass_context
def explain(ctx: click.Context, inbox: Path | None, file: Path, as_json: bool) -> None:
    """Explain one photo: where it was filed, when and why, where it is now, and what people said about it.

    FILE is the photo's present or earlier path, or any copy of the photo, because photos are also found by content.
    FILE may also be a photo's id, as the log and `history --json` print it.

    \b
    Examples:
      phototriage explain ~/sorted/sea/IMG_1.jpg
      phototriage explain ~/inbox/IMG_1.jpg --json | jq .top
      phototriage explain 3f0c1b9a7e
    """
    from daemon.commands.questions.explain import print_story, print_story_json, story_of

    story = story_of(file, inbox)
    if as_json:
        print_story_json(story)
    else:
        print_story(story)
