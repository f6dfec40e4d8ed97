"""`phototriage explain FILE`: the history of one photo, found by its path now or earlier, its content, or its id."""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from common.errors import PhototriageError
from common.tables import show
from common.text import printable
from daemon.commands.questions.history import LedgerRow, facts
from daemon.files.identity import Identity, photo_id, sha256_of
from daemon.ledger.queries import MOVED, Record, about, of_id
from daemon.ledger.reading import find_ledgers, reading, root_of
from daemon.photo import Mode
from daemon.process.clock import local

_ID = re.compile("[0-9a-f]{10}")


class UnknownPhotoError(PhototriageError):
    """The photo is in no ledger."""


def stories(file: Path, inbox: Path | None) -> list[LedgerRow]:
    """Return all rows of a photo, ledger by ledger, oldest first.

    Args:
        file: a present or earlier path; or a photo's id in the log, if no file of that name is here.
        inbox: the inbox whose ledger is read; None to read every ledger.

    Raises:
        UnknownPhotoError: there are none.
    """
    place = file.parent.resolve() / file.name
    is_id = _ID.fullmatch(str(file)) is not None and not os.path.lexists(file)
    sha256 = _content(place)
    rows: list[LedgerRow] = []
    ledgers = find_ledgers(inbox)
    for ledger in ledgers:
        with reading(ledger) as connection:
            root = root_of(connection, "inbox")
            found = of_id(connection, str(file)) if is_id else about(connection, place, sha256)
            rows += [(root, record) for record in found]
    if not rows:
        looked = "by path and content" if sha256 else "by path only, because no file can be read there"
        looked = "as an id of the log, because no file of that name is here" if is_id else looked
        where = ", ".join(map(printable, ledgers))
        raise UnknownPhotoError(f"No ledger knows {printable(file)}. It was looked for {looked}, in {where}.")
    return rows


def print_story_json(rows: list[LedgerRow]) -> None:
    """Print one object per line: the row, and what is at its destination now."""
    for inbox, record in rows:
        click.echo(json.dumps(facts(inbox, record) | {"now": since(record)}))


def print_story(rows: list[LedgerRow]) -> None:
    """Print a block per row, oldest first."""
    from rich.table import Table
    from rich.text import Text

    for inbox, record in rows:
        table = Table(title=_title(record), title_justify="left", box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in _lines(inbox, record):
            table.add_row(name, Text(printable(value)))
        show(table)


def _title(record: Record) -> str:
    return f"{local(record.at_s):%Y-%m-%d %H:%M:%S} {record.state}"


def _lines(inbox: Path | None, record: Record) -> Iterator[tuple[str, str]]:
    intent = record.intent
    yield "from", str(intent.source)
    yield "to", str(intent.destination)
    if intent.mode is not Mode.MOVE:
        yield "mode", intent.mode.value
    if intent.label:
        review = f"review below {intent.threshold:.4f}" if intent.threshold else "review off"
        yield "class", f"{intent.label} {intent.probability:.4f}, {review}"
    if intent.top:
        yield "most probable", ", ".join(f"{label} {probability:.4f}" for label, probability in intent.top.items())
    if intent.reason:
        yield "reason", intent.reason
    if intent.undoes is None:
        yield "took", _times(intent.times_ms or {}) or "-"
        yield "model", f"{intent.model} on the {intent.provider.upper()}"
    yield (
        "content",
        f"SHA-256 {intent.sha256 or 'unknown, because it is too large to read'}, {intent.identity.size:,} bytes",
    )
    yield "recorded", f"batch {record.batch} of {inbox or '?'}, as {photo_id(intent.identity)} in the log"
    yield "since", since(record)


def _times(times_ms: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {value:.1f} ms" for stage, value in times_ms.items())


def since(record: Record) -> str:
    """Return what is at a row's destination now, in words."""
    if record.state == "open":
        return "filing has begun and is not finished"
    if record.state not in MOVED and record.intent.undoes is None:
        return "nothing was moved"
    if record.taken_back:
        return "it was moved back to the inbox; see the later row"
    try:
        status = record.intent.destination.stat()
        if not stat.S_ISREG(status.st_mode):
            return "something else than a file is there now"
        if Identity.of(status) == record.intent.identity:
            return "it is there, unchanged"
        same = status.st_size == record.intent.identity.size and _content(record.intent.destination)
    except (FileNotFoundError, NotADirectoryError):
        return "it is no longer there: someone else moved, renamed or removed it"
    except OSError as error:
        return f"its place cannot be read now ({error.strerror})"
    if same and same == record.intent.sha256:
        return "it is there, with the same content"
    return "another file is there now, or it was changed"


def _content(path: Path) -> str:
    """Return the SHA-256 of a file, or an empty text if no file can be read."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
