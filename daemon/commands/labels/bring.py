"""`phototriage labels import`: says what labels from elsewhere would change, then records them."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import click

from common.text import printable
from contract.labels import OTHER
from daemon.audit.read_back import rows_in
from daemon.commands.labels.bring_audit import bring_audit
from daemon.commands.labels.first_look import look_first
from daemon.labels.by_hand.classes import classes_of
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.given import Given, given_in
from daemon.labels.by_hand.import_labels import EXAMPLES, Plan, compare, take, write
from daemon.labels.by_hand.read_files import ReadFile, read_files
from daemon.labels.by_hand.unknown import unknown_files
from daemon.labels.by_hand.writing import opened, writing
from daemon.labels.store.description import folders_of
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers, one_ledger, roots_of
from daemon.process.clock import Clock
from daemon.process.sudo import as_caller


def bring(
    source: Path, inbox: Path | None, *, yes: bool, dry_run: bool, is_new: bool, replaces: bool, as_json: bool
) -> bool:
    """Import labels; returns whether they were recorded, or would have been in a dry run.

    Args:
        source: a CSV file, an export or a folder; or the table of an audit, whose answers are no labels.
        inbox: whose ledger takes them; None if there is only one, or the source lies in an output.
        yes: record them without asking.
        dry_run: record nothing.
        is_new: whether classes that nobody knows are meant.
        replaces: whether they count more than labels in force.
        as_json: whether to print the counts as one JSON object.
    """
    source = source.resolve()
    if answers := rows_in(source):
        return bring_audit(source, answers, inbox, yes=yes, dry_run=dry_run, replaces=replaces, as_json=as_json)
    ledger = _ledger_for(source, inbox)
    given = _given(source, ledger)
    with as_caller(ledger.parent), opened(ledger) as connection:  # root reads photos that the owner may not read
        classes = classes_of(connection)
        plan = take(connection, _shown(read_files(given)), classes)
        compare(connection, plan, classes, replaces=replaces)
        if not as_json:
            click.echo("\n".join(_sentences(plan, replaces=replaces)))
        refused = classes.unknown(plan.unknown) if plan.unknown and not is_new else ""
        if refused and (dry_run or yes):
            raise LabelError(f"{refused} Nothing was recorded.")
        done = not dry_run and bool(plan.new) and (yes or click.confirm(_question(plan)))
        recorded = write(connection, Clock().wall_s(), replaces=replaces) if done else 0
    if as_json:
        click.echo(json.dumps(_facts(plan, recorded)))
    else:
        click.echo(f"{recorded:,} labels recorded." if done else "Nothing was recorded.")
    return done or dry_run or not plan.new


def _ledger_for(source: Path, inbox: Path | None) -> Path:
    if inbox is None and len(ledgers := find_ledgers(None)) > 1:
        around = [
            path for path in ledgers for _, output in [roots_of(path)] if output and source.is_relative_to(output)
        ]
        if len(around) == 1:
            return around[0]
    return one_ledger(inbox)


def _given(source: Path, ledger: Path) -> Iterator[Given]:
    """Yield the labels of a source; of a folder in the output those of the photos that no ledger knows.

    What phototriage filed there itself is no person's word.
    """
    _, output = roots_of(ledger)
    if output is None or not source.is_relative_to(output) or not source.is_dir():
        return given_in(source)
    with writing(ledger):
        seen = look_first(ledger, Clock().wall_s())
    if seen.obstacle:
        raise LabelError(f"{printable(source)} is a folder of the output, which was not looked at: {seen.obstacle}.")
    folders = ask_ledger(ledger, folders_of)
    if folders.why_not:
        raise LabelError(f"{printable(source)} is a folder of the output. {folders.why_not} Import a CSV file instead.")
    found = unknown_files(seen.tree, [ledger, *other_ledgers(ledger)], folders)
    below = ((one.name, path) for one in found for path in [output / one.place] if path.is_relative_to(source))
    return (Given(name, str(path), name=path.name) for name, path in below if not path.is_symlink())


def _shown(files: Iterable[ReadFile]) -> Iterator[ReadFile]:
    """Show on a terminal how many files were read."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.completed:,} files read"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=None)
        for file in files:
            progress.advance(task)
            yield file


def _question(plan: Plan) -> str:
    new = f" New classes: {', '.join(map(_name, plan.unknown))}." if plan.unknown else ""
    return f"Record {plan.new:,} labels?{new}"


def _sentences(plan: Plan, *, replaces: bool) -> Iterator[str]:
    counts = ", ".join(f"{_name(name)} {count:,}" for name, count in plan.classes.items())
    yield f"New labels: {plan.new:,}{f' ({counts})' if counts else ''}."
    if plan.in_force:
        yield f"In force already: {plan.in_force:,}."
    if plan.conflicts:
        how = "They are replaced" if replaces else "These stay as they are; --replace lets the source win"
        yield f"Other labels in force, or taken back since: {plan.conflicts:,}. {how}."
        for one in plan.examples:
            yield f"  {printable(one.place)}: {_name(one.in_force)}, and the source says {_name(one.given)}"
    if plan.disputed:
        yield f"Left out, because the source gives one photo several classes: {plan.disputed:,}."
    if plan.repeated:
        yield f"Given more than once: {plan.repeated:,}."
    for fault, count in plan.faults.items():
        yield f"Left out, {fault.value}: {count:,}."
    for name, count in list(plan.refused.items())[:EXAMPLES]:
        yield f"Left out, because {printable(name)!r} cannot be the name of a folder: {count:,}."


def _name(said: str) -> str:
    return {OTHER: "none of these classes", "": "taken back"}.get(said) or printable(said)


def _facts(plan: Plan, recorded: int) -> dict[str, object]:
    facts = {one.name: getattr(plan, one.name) for one in fields(plan)}
    faults = {fault.value: count for fault, count in plan.faults.items()}
    return facts | {"faults": faults, "examples": [one._asdict() for one in plan.examples], "recorded": recorded}
