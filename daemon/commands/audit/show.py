"""Prints the figures of audits: for each model how often people agreed, and whether one is shown to be better."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from common.text import printable
from daemon.ledger.audits.figures import AuditFigure, MonthFigure, answers_that_part, figures
from daemon.ledger.audits.interval import are_apart
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import root_of
from daemon.ledger.since.corrections import served
from daemon.process.clock import local

_SHORT = 12


def show(ledger: Path, *, as_json: bool) -> None:
    """Print the figures of one ledger.

    Args:
        ledger: its file.
        as_json: whether to print one JSON object.
    """

    def _known(connection: sqlite3.Connection) -> tuple[Path | None, list[str], list[AuditFigure]]:
        return root_of(connection, "inbox"), served(connection, 1), figures(connection)

    inbox, in_use, found = ask_ledger(ledger, _known)
    found.sort(key=lambda one: one.model not in in_use)
    if as_json:
        models = [_facts(one, is_in_use=one.model in in_use) for one in found]
        click.echo(json.dumps({"inbox": str(inbox) if inbox else None, "models": models, "compared": _compared(found)}))
        return
    click.echo(printable(inbox or ledger))
    for line in _lines(found, in_use):
        click.echo(f"  {line}")


def _lines(found: list[AuditFigure], in_use: list[str]) -> Iterator[str]:
    if not found:
        yield "nothing is audited yet: `phototriage audit` in a terminal asks about 50 photos, or add --export DIR"
    for one in found:
        yield f"model {one.model[:_SHORT]}{', in use' if one.model in in_use else ''}: {sentence(one)}"
        yield f"  {_about(one)}"
        if len(one.months) > 1:
            yield from (f"  filed in {month}: {_share(figure)}" for month, figure in one.months.items())
        yield f"  estimated by the model itself: {one.estimate:.2f}, which is no audit"
    if (facts := _compared(found)) is not None:
        yield _verdict(facts)


def sentence(one: AuditFigure) -> str:
    """Return a figure in words, such as `0.93 of 50, 0.83 to 0.97`."""
    return _share(one) if one.answered else "no answer yet"


def _share(one: AuditFigure | MonthFigure) -> str:
    return f"{one.share.value:.2f} of {one.answered:,}, {one.share.low:.2f} to {one.share.high:.2f}"


def _about(one: AuditFigure) -> str:
    since = f" since {local(one.since_s):%Y-%m-%d %H:%M}" if one.since_s else ""
    parts = [f"drawn {local(one.drawn_at_s):%Y-%m-%d %H:%M} from {one.photos:,} photos that it had filed{since}"]
    parts += [f"{one.waiting:,} wait for an answer"] if one.waiting else []
    parts += [f"{one.skipped:,} skipped"] if one.skipped else []
    if one.answered and one.covered < one.photos:
        parts.append(f"no answer about {1 - one.covered / one.photos:.0%} of them, because none of their class has one")
    return "; ".join(parts)


def _compared(found: list[AuditFigure]) -> dict[str, Any] | None:
    """Return how the model in use compares with the one that was audited before it; None if only one has answers."""
    one, other, *_ = ([figure for figure in found if figure.answered] + [None, None])[:2]
    if one is None or other is None:
        return None
    apart = are_apart(one.share, other.share)
    more = None if apart else answers_that_part(one, other)
    better = (one if one.share.value > other.share.value else other).model if apart else None
    return {"model": one.model, "before": other.model, "better": better, "more": None if more is None else list(more)}


def _verdict(facts: dict[str, Any]) -> str:
    one, other = facts["model"][:_SHORT], facts["before"][:_SHORT]
    if facts["better"] is not None:
        return f"better: {facts['better'][:_SHORT]}, because the intervals of {one} and {other} are apart"
    if facts["more"] is None:
        return f"which of {one} and {other} is better: cannot tell, because both are equally good by the answers so far"
    each = zip(facts["more"], (one, other), strict=True)
    needed = " and ".join(f"{more:,} more answers about {model}" for more, model in each if more)
    return f"which of {one} and {other} is better: cannot tell, {needed} if their shares stay as they are"


def _facts(one: AuditFigure, *, is_in_use: bool) -> dict[str, Any]:
    return {
        "model": one.model, "in_use": is_in_use, **_rounded(one),
        "effective": round(one.share.effective, 2), "skipped": one.skipped,
        "waiting": one.waiting, "photos": one.photos, "covered": one.covered, "estimated": round(one.estimate, 6),
        "drawn_at": _iso(one.drawn_at_s), "since": _iso(one.since_s) if one.since_s else None,
        "answered_at": None if one.answered_at_s is None else _iso(one.answered_at_s),
        "months": {name: _rounded(figure) for name, figure in one.months.items()},
    }  # fmt: skip


def _rounded(one: AuditFigure | MonthFigure) -> dict[str, float | None]:
    names = ("accuracy", "low", "high")
    known = [round(value, 6) if one.answered else None for value in one.share[:3]]
    return dict(zip(names, known, strict=True)) | {"answered": one.answered}


def _iso(at_s: float) -> str:
    return local(at_s).isoformat(timespec="milliseconds")
