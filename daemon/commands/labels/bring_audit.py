"""`phototriage labels import` of the table of an audit: its answers are kept, and make no labels."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from daemon.audit.read_back import Answers, Row, compare, is_known, keep
from daemon.labels.by_hand.writing import opened
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers, one_ledger
from daemon.process.clock import Clock
from daemon.process.sudo import as_caller


def bring_audit(
    source: Path, rows: list[Row], inbox: Path | None, *, yes: bool, dry_run: bool, replaces: bool, as_json: bool
) -> bool:
    """Import answers; returns whether each line that was filled in is kept, or would be.

    Args:
        source: the table.
        rows: its lines.
        inbox: whose photos they are about; None for the one that drew them.
        yes, dry_run, replaces, as_json: as for labels.
    """
    ledger = _ledger_of(rows, inbox)
    with as_caller(ledger.parent), opened(ledger) as connection:
        found = compare(connection, source.parent, rows)
        if not as_json:
            click.echo("\n".join(_sentences(found, replaces=replaces)))
        count = len(found.new) + (len(found.other) if replaces else 0)
        done = bool(count) and not dry_run and (yes or click.confirm(f"Keep {count:,} answer{'s' * (count != 1)}?"))
        recorded = keep(connection, found, Clock().wall_s(), replaces=replaces) if done else 0
    if as_json:
        facts = {"new": len(found.new), "in_force": found.in_force, "conflicts": len(found.other)}
        click.echo(
            json.dumps({"what": "audit", **facts, "empty": found.empty, "faults": found.faults, "recorded": recorded})
        )
    else:
        click.echo(f"{recorded:,} answers kept. They are no labels. `phototriage audit` shows the figures.")
    return not found.faults and (done or dry_run or not count)


def _ledger_of(rows: list[Row], inbox: Path | None) -> Path:
    found = [path for path in find_ledgers(inbox) if ask_ledger(path, lambda connection: is_known(connection, rows))]
    return found[0] if len(found) == 1 else one_ledger(inbox)


def _sentences(found: Answers, *, replaces: bool) -> Iterator[str]:
    yield f"New answers of an audit: {len(found.new):,}."
    if found.in_force:
        yield f"Kept already: {found.in_force:,}."
    if found.other:
        how = "They are replaced" if replaces else "These stay as they are; --replace lets the table win"
        yield f"Other answers are kept already: {len(found.other):,}. {how}."
    if found.empty:
        yield f"Not filled in: {found.empty:,}."
    yield from (f"Left out, {fault}" for fault in found.faults)
