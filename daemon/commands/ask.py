"""`phototriage history` and `explain`: questions to the ledger, which change nothing."""

from datetime import datetime
from pathlib import Path

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import inbox_option, json_option, label_option, since_option
from daemon.commands.time_option import PointInTime
from daemon.photo import STATES


@click.command()
@inbox_option
@since_option
@click.option("--until", type=PointInTime(end=True), metavar="TIME", help="The same; a date means all of that day.")
@label_option
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only what ended so; may be given again.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows per ledger.")
@click.option("--all", "everything", is_flag=True, help="No limit.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV, for a spreadsheet.")
@click.option("--backup", type=FolderOrFile(), metavar="FILE", help="Write a whole copy of the ledger, also at work.")
def history(
    inbox: Path | None,
    since: datetime | None,
    until: datetime | None,
    label: str | None,
    state: tuple[str, ...],
    limit: int,
    everything: bool,
    as_json: bool,
    as_csv: bool,
    backup: Path | None,
) -> None:
    """Show what was filed, when and where; youngest first.

    The ledger is only read, also while a daemon writes it. A photo that was taken back has a row for that too. With
    --backup nothing is shown: the ledger is copied to a new file, consistent also while a daemon is at work.

    \b
    Examples:
      phototriage history --since 3d --label sea
      phototriage history --state failed --state review --json | jq -r .path
      phototriage history --inbox ~/inbox --csv --all > history.csv
      phototriage history --backup ledger-2026-11-20.sqlite
    """
    from daemon.commands.history import ask, print_csv, print_json, print_table
    from daemon.ledger.queries import RecordFilter

    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot be had at once.")
    if backup is not None:
        from daemon.commands.backup import back_up

        click.echo(back_up(inbox, backup))
        return
    which = RecordFilter(since.timestamp() if since else None, until.timestamp() if until else None, label, state)
    told = ask(inbox, which, -1 if everything else limit)
    if as_json:
        print_json(told)
    elif as_csv:
        print_csv(told)
    else:
        print_table(told)


@click.command()
@inbox_option
@click.argument("file", type=FolderOrFile())
@json_option
@click.pass_context
def explain(ctx: click.Context, inbox: Path | None, file: Path, as_json: bool) -> None:
    """Tell all about one photo: why it is where it is, and since when.

    FILE is where it lies now, where it lay once, or any copy of it: it is known by its content too. The id by which the
    log and `history --json` call a photo will do as well.

    \b
    Examples:
      phototriage explain ~/sorted/sea/IMG_1.jpg
      phototriage explain ~/inbox/IMG_1.jpg --json | jq .top
      phototriage explain 3f0c1b9a7e
    """
    from daemon.commands.explain import print_story, print_story_json, stories

    found = stories(file, inbox)
    if as_json:
        print_story_json(found)
    else:
        print_story(found)
