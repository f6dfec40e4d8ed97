"""`phototriage undo` and `retry`: move photos back to the inbox."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.text import printable
from daemon.commands.moves.steps import facts_of, photos, print_json, print_table, when_all_are_done
from daemon.commands.shared_options import (
    json_option,
    one_inbox_option,
    preview_option,
    reason_option,
    said_option,
    since_option,
)

if TYPE_CHECKING:
    from daemon.ledger.intent import Intent
    from daemon.ledger.queries import RecordFilter
    from daemon.undo.plan import Step

last_option = click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the N newest photos.")


@click.command()
@one_inbox_option
@since_option
@click.option(
    "--label", metavar="CLASS", help="Only photos that lie in this folder now: of a class, or one such as _review."
)
@said_option
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Only batch N, as numbered by `history`.")
@last_option
@preview_option
@json_option
def undo(
    inbox: Path | None,
    since: datetime | None,
    label: str | None,
    said: str | None,
    batch: int | None,
    last: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Move filed photos back to the inbox, with their companions.

    Companions are files that belong to a photo, such as its raw file or its sidecar. Choose photos by --since, --label,
    --said, --batch or --last; several of them narrow the choice. A photo that its owner moved in the output goes back
    too, from where the daemon's last look saw it; what people said about it stays said. A photo that was edited stays
    as it is, and the exit code is 1. If its name is taken in the inbox, the photo gets a number. A filed copy or link
    is removed; a copy or hard link only while its original is in the inbox. What `refile` moved goes back to its former
    class, unless a person moved it since; the next `undo` takes it to the inbox. The daemon may be running. It ignores
    photos that were moved back until they are changed or renamed, or until `phototriage retry --undone`.

    \b
    Examples:
      phototriage undo --last 1
      phototriage undo --since 2h --label street --dry-run
      phototriage undo --inbox ~/inbox --batch 17
    """
    from daemon.ledger.queries import MOVED, RecordFilter

    if since is None and label is None and said is None and batch is None and last is None:
        raise click.UsageError("Choose photos with --since, --label, --said, --batch or --last.")
    moved = tuple(outcome.value for outcome in MOVED)
    since_s = since.timestamp() if since else None
    which = RecordFilter(since_s=since_s, label=label, said=said, batch=batch, states=moved, at_large=True)
    _take_back(inbox, which, last, "undone", dry_run=dry_run, as_json=as_json)


@click.command()
@one_inbox_option
@since_option
@click.option(
    "--state",
    type=click.Choice(["failed", "review"]),
    default="failed",
    show_default=True,
    help="Photos that failed, or those in _review, as for a better model.",
)
@reason_option
@click.option("--undone", is_flag=True, help="Instead of these, photos that `undo` moved back.")
@last_option
@preview_option
@json_option
def retry(
    inbox: Path | None,
    since: datetime | None,
    state: str,
    reason: str | None,
    undone: bool,
    last: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Move failed photos, or those in _review, to the inbox to try them again.

    A photo that its owner moved out of _failed or _review stays where it is. The notes of failed photos (NAME.why.txt)
    are removed. With --undone, photos that `undo` moved back are classified
    once more. A running daemon takes them within a minute.

    \b
    Examples:
      phototriage retry
      phototriage retry --state review --reason unfamiliar
      phototriage retry --undone --since 2026-11-20
    """
    from daemon.ledger.queries import RecordFilter
    from daemon.ledger.since.places import FOLDERS
    from daemon.photo import Outcome

    if reason is not None and (undone or state != "review"):
        raise click.UsageError("--reason needs --state review, because only photos in _review have one.")
    if undone and state != "failed":
        raise click.UsageError("--state and --undone cannot be combined.")
    since_s = since.timestamp() if since else None
    if undone:
        _release(
            inbox, RecordFilter(since_s=since_s, states=("undone",), held=True), last, dry_run=dry_run, as_json=as_json
        )
    else:
        folder = FOLDERS[Outcome(state)]
        which = RecordFilter(since_s=since_s, label=folder, states=(state,), review_reason=reason, at_large=True)
        _take_back(inbox, which, last, "retried", dry_run=dry_run, as_json=as_json)


def _take_back(
    inbox: Path | None, which: "RecordFilter", last: int | None, becomes: str, *, dry_run: bool, as_json: bool
) -> None:
    from daemon.ledger.reading import one_ledger
    from daemon.photo import Outcome
    from daemon.process.clock import Clock
    from daemon.startup_recovery import settle_others
    from daemon.undo.undo import plans, undo

    if dry_run:
        steps = facts_of(plans(one_ledger(inbox), which, last or -1, Outcome(becomes)))
    else:
        groups = undo(inbox, which, last or -1, Outcome(becomes), Clock().wall_s(), settle_others, _say_unseen)
        steps = when_all_are_done(facts_of(_losses_said(groups)))
    stay = print_json(steps) if as_json else print_table(steps, dry_run=dry_run)
    if stay:
        click.get_current_context().exit(1)


def _say_unseen(_: int, intent: "Intent", error: OSError) -> None:
    from daemon.filing.unresolved import unfinished

    left = f"{printable(intent.source.name)}: {unfinished(intent, error)}"
    click.echo(f"{left}; the next `undo`, or start of the daemon, continues it", err=True)


def _losses_said(groups: "Iterable[list[Step]]") -> "Iterator[list[Step]]":
    from daemon.copying.losses import Losses

    losses = Losses(lambda sentence: click.echo(sentence, err=True), "is back")
    for group in groups:
        for step in group:
            if step.intent is not None:
                losses.note(step.intent.destination, step.lost)
        yield group


def _release(inbox: Path | None, which: "RecordFilter", last: int | None, *, dry_run: bool, as_json: bool) -> None:
    from daemon.undo.undo import release

    places = [str(record.intent.destination) for record in release(inbox, which, last or -1, dry_run=dry_run)]
    for place in places:
        click.echo(json.dumps({"path": place}) if as_json else printable(place))
    verb = "would classify" if dry_run else "classifies"
    click.echo(f"The daemon, or the next `sort`, {verb} {photos(len(places))} again.", err=True)
