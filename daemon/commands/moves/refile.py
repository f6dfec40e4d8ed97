"""`phototriage refile`: move what is filed already to where the model in use would file it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from common.tables import show
from common.text import printable
from daemon.commands.model import state_of
from daemon.commands.moves.steps import Facts, photos
from daemon.commands.shared_options import (
    device_option,
    json_option,
    one_inbox_option,
    preview_option,
    service_option,
    since_option,
)

if TYPE_CHECKING:
    from daemon.classify.loaded_model import LoadedModel
    from daemon.ledger.intent import Intent
    from daemon.refile.proposals import Judged
    from daemon.refile.spool import Spool
    from daemon.undo.plan import Step

SHOWN = 20


class _Sum(NamedTuple):
    """What was done, or would be."""

    moved: int
    stay: int
    ways: Counter[tuple[str, str]]
    first: list[Facts]


@click.command("refile")
@one_inbox_option
@service_option
@since_option
@click.option("--all", "everything", is_flag=True, help="Move them also if they are many.")
@preview_option
@device_option
@json_option
@click.pass_context
def refile_command(
    ctx: click.Context,
    inbox: Path | None,
    service: str | None,
    since: datetime | None,
    everything: bool,
    dry_run: bool,
    device: Literal["auto", "cpu", "cuda"],
    as_json: bool,
) -> None:
    """Move what is filed already to where the model in use would file it.

    After `learn` or `model use`, photos that an earlier model filed are read and judged again. A photo moves if the
    model in use files it under another class that is at least 0.2 more probable than the present one. A photo in
    _review moves if the model is sure of it now. Companions go along. Photos that a person moved, renamed or put into a
    subfolder stay; one that people labelled where it lies goes to that class. Photos of a class that `learn` renamed
    follow it.

    If the model would move more than 200 photos, or more than 5 % of what is filed, it does so only with --all: look at
    --dry-run first. All moves are one batch, and `undo --batch N` takes it back to the former classes. The daemon may
    be running. The exit code is 1 if a photo had to stay, or if they are too many.

    \b
    Examples:
      phototriage refile --dry-run
      phototriage refile --inbox ~/inbox --since 30d
      phototriage undo --batch 41
    """
    from daemon.ledger.state_folder import LEDGER
    from daemon.process.sudo import as_owner
    from daemon.refile.refile import is_much, plans
    from daemon.refile.spool import spooled

    ledger = state_of(inbox, service) / LEDGER
    with ExitStack() as stack:
        stack.enter_context(as_owner(ledger.parent))
        spool = stack.enter_context(spooled())
        judged = _judge(ledger, spool, since.timestamp() if since else None, device, look=not dry_run)
        if dry_run or not spool.count:
            done = _tell(plans(ledger, spool.read()), as_json=as_json, batch=None)
            _end(done, judged, as_json=as_json, batch=None)
            ctx.exit(1 if done.stay else 0)
        if is_much(judged.elsewhere, judged.filed) and not everything:
            raise click.ClickException(
                f"The model would move {judged.elsewhere:,} of {photos(judged.filed)}, which is more than 200 or 5 %. "
                "Look at `refile --dry-run` first, then add --all. Nothing was moved."
            )
        batch, done = _carry_out(ledger, spool, as_json=as_json)
        _end(done, judged, as_json=as_json, batch=batch)
        ctx.exit(1 if done.stay else 0)


def _judge(
    ledger: Path, spool: "Spool", since_s: float | None, device: Literal["auto", "cpu", "cuda"], *, look: bool
) -> "Judged":
    """Look where photos are, judge them, and spool those that belong elsewhere."""
    from daemon.commands.labels.first_look import look_first
    from daemon.labels.features.words import read_words
    from daemon.labels.store.output_ledgers import other_ledgers
    from daemon.ledger.reading import roots_of
    from daemon.process.clock import Clock
    from daemon.refile.proposals import Proposer
    from daemon.refile.refile import RefileError

    inbox, _ = roots_of(ledger)
    if inbox is None:
        raise RefileError("Nothing was filed by this inbox yet, so there is nothing to refile.")
    if look and (obstacle := look_first(ledger, Clock().wall_s()).obstacle):
        click.echo(f"Where photos are now is as the last look saw it: {obstacle}.", err=True)
    loaded = _model_in_use(ledger, device)
    learned = loaded.model.contract.learned
    words = read_words([ledger, *other_ledgers(ledger)])
    proposer = Proposer(ledger, inbox, loaded, words, {} if learned is None else learned.renamed)
    for proposal in proposer.propose(since_s):
        spool.add(proposal)
    return proposer.judged


def _model_in_use(ledger: Path, device: Literal["auto", "cpu", "cuda"]) -> "LoadedModel":
    from contract.session import open_model
    from daemon.classify.loaded_model import LoadedModel, rules_of
    from daemon.labels.store.description import description_in, layout_in
    from daemon.ledger.reader import ask_ledger
    from daemon.models.history import in_use
    from daemon.refile.refile import RefileError

    entry, description, layout = ask_ledger(
        ledger, lambda connection: (in_use(connection), description_in(connection), layout_in(connection))
    )
    if entry is None:
        raise RefileError("No model has served this inbox yet. Start `watch` or `sort` once.")
    model = open_model(entry.file, device)
    below = description.rules.get("review_below", "off")
    unfamiliar: Literal["review", "file"] = "file" if description.rules.get("unfamiliar") == "file" else "review"
    return LoadedModel(model, rules_of(model, below, unfamiliar=unfamiliar, dated=layout.needs_date), entry.file)


def _carry_out(ledger: Path, spool: "Spool", *, as_json: bool) -> tuple[int, _Sum]:
    from daemon.commands.labels.first_look import look_first
    from daemon.process.clock import Clock
    from daemon.refile.refile import refiling
    from daemon.startup_recovery import settle_others

    with refiling(ledger, spool.read(), Clock().wall_s(), settle_others, _say_unseen) as refiled:
        done = refiled.batch, _tell(refiled.steps, as_json=as_json, batch=refiled.batch)
    look_first(ledger, Clock().wall_s())  # what people said is shown at the new places at once
    return done


def _say_unseen(_: int, intent: "Intent", error: OSError) -> None:
    from daemon.filing.unresolved import unfinished

    click.echo(f"{printable(intent.source.name)}: {unfinished(intent, error)}; the next start continues it", err=True)


def _tell(groups: "Iterable[list[Step]]", *, as_json: bool, batch: int | None) -> _Sum:
    """Take all steps, print them as JSON if that is asked for, and return their sum."""
    moved, stay = 0, 0
    ways: Counter[tuple[str, str]] = Counter()
    first: list[Facts] = []
    for step in _facts(groups):
        if as_json:
            click.echo(json.dumps({"event": "photo", "batch": batch} | step))
        stay += bool(step["reason"])
        if step["companion"]:
            continue
        if not step["reason"]:
            moved += 1
            ways[step["was"], step["folder"]] += 1
        if len(first) < SHOWN:
            first.append(step)
    return _Sum(moved, stay, ways, first)


def _facts(groups: "Iterable[list[Step]]") -> Iterator[Facts]:
    for group in groups:
        for step in group:
            intent, record = step.intent, step.record
            yield {
                "path": str(record.path),
                "destination": str(intent.destination) if intent is not None and not step.reason else None,
                "was": record.folder,
                "folder": None if intent is None else intent.known_as or intent.label,
                "said": None if intent is None else intent.known_as or None,
                "label": None if intent is None else intent.label,
                "probability": None if intent is None else round(intent.probability, 6),
                "companion": record.intent.part_of is not None,
                "reason": step.reason,
            }


def _end(done: _Sum, judged: "Judged", *, as_json: bool, batch: int | None) -> None:
    """Print what was done as a whole."""
    if as_json:
        counts = {"filed": judged.filed, "judged": judged.read, "moved_by_people": judged.moved}
        rest = {"not_read": judged.changed, "links": judged.links}
        sums = {"batch": batch, "moved": done.moved, "stayed": done.stay}
        click.echo(json.dumps({"event": "summary"} | sums | counts | rest))
        return
    _print_table(("was", "now", "photos"), [(was, now, f"{count:,}") for (was, now), count in done.ways.most_common()])
    rows: list[tuple[str, ...]] = [(step["path"], _belongs_to(step)) for step in done.first]
    _print_table(("photo", "belongs to"), rows)
    if (more := done.moved + done.stay - len(rows)) > 0 and rows:
        click.echo(f"{more:,} more; --json names all.")
    left = ((judged.moved, "moved by people"), (judged.changed, "gone, edited or unreadable"), (judged.links, "links"))
    without = "; left alone: " + ", ".join(f"{count:,} {what}" for count, what in left if count)
    read = f"{photos(judged.read)} of {judged.filed:,} judged again{without if any(one for one, _ in left) else ''}"
    verb = "would move" if batch is None else "moved"
    click.echo(f"{read}. {photos(done.moved)} {verb}{f', {done.stay:,} had to stay' if done.stay else ''}.", err=True)
    if batch is not None and done.moved:
        click.echo(f"To take them back: phototriage undo --batch {batch}", err=True)


def _belongs_to(step: Facts) -> str:
    if step["reason"]:
        return f"stays: {step['reason']}"
    return f"{step['folder']}, as people said" if step["said"] else f"{step['folder']} {step['probability']:.2f}"


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold", justify="right" if name == "photos" else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    show(table)
    click.echo()
