"""An intent: the planned move of one file, which the ledger stores before the file is touched."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.files.identity import Identity
from daemon.files.statx import Times, times_of
from daemon.ledger.movers import Mover
from daemon.photo import Mode, Outcome, Photo
from daemon.review import Likeness, ReviewReason

COLUMNS = (
    *(
        "becomes",
        "source",
        "destination",
        "device",
        "inode",
        "size",
        "mtime_ns",
        "sha256",
        "label",
        "probability",
        "top",
    ),
    *("threshold", "reason", "model", "provider", "times_ms", "mode", "part_of", "undoes", "held"),
    *("ctime_ns", "btime_ns", "mount", "replaces", "kept"),
    *("familiarity", "nearest", "familiarity_limit", "review_reason", "known_as"),
    *("mover", "refiles"),
)
"""Columns that an intent fills."""
_UNTOLD = (None, None, None)
_INSERT = (
    f"INSERT INTO photos (id, batch, state, intended_at, {', '.join(COLUMNS)})"
    f" VALUES (?, ?, 'intent', ?, {', '.join('?' * len(COLUMNS))})"
)
_NEXT_BATCH = (  # a daemon of an earlier version, which runs on after an update, counts by the rows alone
    "UPDATE batches SET last = max(last, coalesce((SELECT batch FROM photos ORDER BY id DESC LIMIT 1), 0)) + 1"
    " RETURNING last"
)
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Intent:
    """The planned move of one photo or companion; the fields are the columns of its row.

    Attributes:
        part_of: row of the photo that this companion belongs to.
        undoes: row of the photo that this intent takes back.
        companions: intents of the companions; each gets its own row, with `part_of` set to this one.
        held: path in the inbox at which the daemon leaves this file alone from now on.
        mount: mount point inside the inbox that the file lay on; None for the inbox's own mount.
        times: the file's times that nobody can set, if it is held.
        replaces: row of the sidecar whose place this one takes.
        kept: the hidden name that the sidecar gets which is replaced.
        by_rename: written by an earlier version, whose copies lost their hidden name when they were published.
        known_as: what a person had said of the same or nearly the same photo, so that it is filed under that.
        mover: the kind of process that moves the file.
        refiles: row of the photo or companion that this intent moves to another class.
    """

    becomes: Outcome
    source: Path
    destination: Path
    identity: Identity
    sha256: str
    label: str = ""
    probability: float = 0.0
    top: Mapping[str, float] | None = None
    threshold: float = 0.0
    likeness: Likeness | None = None
    review_reason: ReviewReason | None = None
    reason: str = ""
    model: str = ""
    provider: str = ""
    times_ms: Mapping[str, float] | None = None
    mode: Mode = Mode.MOVE
    part_of: int | None = None
    undoes: int | None = None
    held: Path | None = None
    mount: Path | None = None
    times: Times | None = None
    replaces: int | None = None
    kept: Path | None = None
    by_rename: bool = False
    known_as: str = ""
    mover: Mover = Mover.DAEMON
    refiles: int | None = None
    companions: tuple["Intent", ...] = ()

    def values(self) -> tuple[Any, ...]:
        """Return the row's values, in the order of `COLUMNS`."""
        device, inode, size, mtime_ns = self.identity
        return (
            *(self.becomes._value_, os.fsencode(self.source), os.fsencode(self.destination)),
            *(str(device), str(inode)),  # as text: an unsigned 64-bit number does not fit SQLite's integer
            *(size, mtime_ns, self.sha256, self.label, self.probability, _as_json(self.top or {})),
            *(self.threshold, self.reason, self.model, self.provider),
            _as_json({name: round(value, 3) for name, value in (self.times_ms or {}).items()}),
            *(self.mode._value_, self.part_of, self.undoes, os.fsencode(self.held) if self.held else None),
            *(*(self.times or (None, None)), os.fsencode(self.mount) if self.mount else None),
            *(self.replaces, os.fsencode(self.kept) if self.kept else None),
            *(self.likeness or _UNTOLD),
            self.review_reason._value_ if self.review_reason else "",
            self.known_as,
            *(self.mover._value_, self.refiles),
        )


def intent_of(row: sqlite3.Row) -> Intent:
    """Return the intent of a row; the row has all columns, by name."""
    return Intent(
        becomes=Outcome(row["becomes"]),
        source=Path(os.fsdecode(row["source"])),
        destination=Path(os.fsdecode(row["destination"])),
        identity=Identity(int(row["device"]), int(row["inode"]), row["size"], row["mtime_ns"]),
        sha256=row["sha256"],
        label=row["label"],
        probability=row["probability"],
        top=json.loads(row["top"]),
        threshold=row["threshold"],
        likeness=None
        if row["familiarity"] is None
        else Likeness(row["familiarity"], row["nearest"], row["familiarity_limit"]),
        review_reason=ReviewReason(row["review_reason"]) if row["review_reason"] else None,
        reason=row["reason"],
        model=row["model"],
        provider=row["provider"],
        times_ms=json.loads(row["times_ms"]),
        mode=Mode(row["mode"]),
        part_of=row["part_of"],
        undoes=row["undoes"],
        held=Path(os.fsdecode(row["held"])) if row["held"] is not None else None,
        mount=Path(os.fsdecode(row["mount"])) if row["mount"] is not None else None,
        times=Times(row["ctime_ns"], row["btime_ns"]) if row["ctime_ns"] is not None else None,
        replaces=row["replaces"],
        kept=Path(os.fsdecode(row["kept"])) if row["kept"] is not None else None,
        by_rename=bool(row["by_rename"]),
        known_as=row["known_as"],
        mover=Mover(row["mover"]),
        refiles=row["refiles"],
    )


def next_batch(connection: sqlite3.Connection) -> int:
    """Return the number of a new batch; the caller holds a transaction."""
    (batch,) = connection.execute(_NEXT_BATCH).fetchone()
    return int(batch)


def insert_intents(connection: sqlite3.Connection, intents: Iterable[Intent], now_s: float, batch: int) -> list[int]:
    """Store intents, each followed by those of its companions; the caller holds a transaction.

    Returns:
        The numbers of the rows, in order.
    """
    # Read each time, because another process may take photos back while this one files.
    (row,) = connection.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()
    rows: list[tuple[Any, ...]] = []
    for intent in intents:
        photo = row + len(rows) + 1
        for one in (intent, *(replace(part, part_of=photo) for part in intent.companions)):
            rows.append((row + len(rows) + 1, batch, now_s, *one.values()))
    connection.executemany(_INSERT, rows)
    return [values[0] for values in rows]


def intent_for(photo: Photo, mode: Mode) -> Intent:
    """Return the intent to file a photo or companion, with the intents of its companions.

    Args:
        photo: has a destination.
        mode: move, copy or link.
    """
    assert photo.filing.destination is not None
    judgement = photo.judgement
    replaces, kept = photo.filing.replaces or (None, None)
    return Intent(
        becomes=photo.filing.outcome,
        source=photo.path,
        destination=photo.filing.destination,
        identity=photo.found.identity,
        sha256=photo.read.sha256,
        label=judgement.label,
        probability=judgement.probability,
        top=judgement.top,
        threshold=judgement.threshold,
        likeness=judgement.likeness,
        review_reason=judgement.review_reason if photo.filing.outcome is Outcome.REVIEW else None,
        reason=photo.filing.reason,
        model=judgement.model,
        provider=judgement.provider,
        times_ms=photo.times_ms,
        mode=mode,
        part_of=photo.filing.follows_row,
        held=None if mode is Mode.MOVE else photo.path,
        mount=photo.found.mount,
        replaces=replaces,
        kept=kept,
        times=None if mode is Mode.MOVE else times_of(photo.path),
        known_as=judgement.said if photo.filing.outcome in (Outcome.FILED, Outcome.REVIEW) else "",
        companions=tuple(intent_for(part, mode) for part in photo.filing.companions) if photo.filing.companions else (),
    )
