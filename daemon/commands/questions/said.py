"""What people said about a photo, event by event, for people and for scripts."""

from collections.abc import Iterator
from typing import Any

from common.text import printable
from daemon.commands.questions.row import LedgerRow, said_words
from daemon.ledger.labels.events import Event, How, LabelEvent
from daemon.process.clock import local

_HOW = {
    How.ANSWER: "in answer to a question about many moves",
    How.ADD: "by `labels add`",
    How.IMPORT: "by `labels import`",
    How.TAKE_BACK: "by `labels take-back`",
}


def said_lines(row: LedgerRow) -> Iterator[str]:
    """Yield a line for each event, oldest first."""
    for one in row.events:
        event = one.event
        said = said_words(event.said) if event.said else "nothing any more: the label was taken back"
        yield f"{said}, on {local(one.at_s):%Y-%m-%d at %H:%M:%S} {_how(event)}{_shown(event)}"


def said_facts(row: LedgerRow) -> list[dict[str, Any]]:
    """Return the events for scripts, oldest first; `said` is None where a label was taken back."""
    return [
        {
            "at": local(one.at_s).isoformat(timespec="milliseconds"),
            "how": one.event.how.value,
            "said": one.event.said or None,
            "label": one.event.shown,
            "probability": round(one.event.probability, 6),
            "model": one.event.model,
            "place": one.event.place,
        }
        for one in row.events
    ]


def last_move(row: LedgerRow) -> LabelEvent | None:
    """Return the event of the label in force, if a move of the photo said it."""
    last = row.events[-1] if row.events else None
    return last if last is not None and last.event.how is How.MOVE and last.event.said else None


def _how(event: Event) -> str:
    return _HOW.get(event.how) or f"by moving it to {printable(event.place)}"


def _shown(event: Event) -> str:
    return f"; the model had said {printable(event.shown)} {event.probability:.2f}" if event.shown else ""
