"""An intent: what is about to happen to one file, as the ledger keeps it before the file is touched."""

import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.photo import Identity, Mode, Outcome


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to happen to one photo, or to a companion; the fields are the columns of its row.

    Attributes:
        part_of: row of the photo that this companion travels with.
        undoes: row whose photo is taken back by this.
        companions: what travels with it; each gets a row of its own, part of this one.
        held: path in the inbox at which the daemon leaves this very file alone from now on.
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
    reason: str = ""
    model: str = ""
    provider: str = ""
    times_ms: Mapping[str, float] | None = None
    mode: Mode = Mode.MOVE
    part_of: int | None = None
    undoes: int | None = None
    held: Path | None = None
    companions: tuple["Intent", ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return the row's values by column."""
        return {
            "becomes": self.becomes.value,
            "source": os.fsencode(self.source),
            "destination": os.fsencode(self.destination),
            "device": str(self.identity.device),  # as text: an unsigned 64-bit number does not fit SQLite's integer
            "inode": str(self.identity.inode),
            "size": self.identity.size,
            "mtime_ns": self.identity.mtime_ns,
            "sha256": self.sha256,
            "label": self.label,
            "probability": self.probability,
            "top": json.dumps(self.top or {}, ensure_ascii=False),
            "threshold": self.threshold,
            "reason": self.reason,
            "model": self.model,
            "provider": self.provider,
            "times_ms": json.dumps({name: round(value, 3) for name, value in (self.times_ms or {}).items()}),
            "mode": self.mode.value,
            "part_of": self.part_of,
            "undoes": self.undoes,
            "held": os.fsencode(self.held) if self.held else None,
        }


def intent_of(row: sqlite3.Row) -> Intent:
    """Return the intent that a row of the ledger holds; the row has all columns, by name."""
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
        reason=row["reason"],
        model=row["model"],
        provider=row["provider"],
        times_ms=json.loads(row["times_ms"]),
        mode=Mode(row["mode"]),
        part_of=row["part_of"],
        undoes=row["undoes"],
        held=Path(os.fsdecode(row["held"])) if row["held"] is not None else None,
    )
