"""An inbox with a ledger in which photos were filed, made without a model, and questions to it as a user asks them."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

import phototriage
from daemon.adopt import adopt
from daemon.files.statx import times_of
from daemon.ledger.intent import Intent
from daemon.ledger.state_folder import state_folder
from daemon.photo import Mode, Outcome
from tests.daemon.support import digest, identity_of, opened_ledger, plain, roots, write

FOLDERS = {Outcome.REVIEW: "_review", Outcome.FAILED: "_failed"}


def ask(*words: str | Path) -> Result:
    """Run `phototriage WORDS` in this process."""
    return CliRunner().invoke(phototriage.cli, [os.fsdecode(word) for word in words])


def told(*words: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """Return the JSON lines that the question is answered with."""
    result = ask(*words, "--json")
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


class House:
    """An inbox, an output and a ledger below a folder."""

    def __init__(self, folder: Path, output: Path | None = None) -> None:
        folder.mkdir()
        self.inbox, inside = roots(folder)
        self.output = output or inside
        self.path = state_folder(self.inbox) / "ledger.sqlite"
        with opened_ledger(self.path) as ledger:
            adopt(ledger, "inbox", self.inbox)
            adopt(ledger, "output", self.output)

    def file(
        self, name: str, at_s: float = 1.0, label: str = "sea", outcome: Outcome = Outcome.FILED, **more: object
    ) -> Path:
        """Put a photo where it would have been filed, and its row into the ledger; returns its place."""
        mode = more.get("mode", Mode.MOVE)
        source = self.inbox / name
        target = self.output / FOLDERS.get(outcome, label) / source.name
        target.parent.mkdir(exist_ok=True)
        original = target if mode is Mode.MOVE else source
        write(original, plain("red") + name.encode(errors="surrogateescape"), mtime_s=at_s)
        if mode is Mode.COPY:
            write(target, original.read_bytes(), mtime_s=at_s)
        elif mode is Mode.HARDLINK:
            target.hardlink_to(original)
        elif mode is Mode.SYMLINK:
            target.symlink_to(original)
        fields: dict[str, object] = {
            "source": source, "destination": target, "identity": identity_of(original), "becomes": outcome,
            "sha256": digest(target.read_bytes()), "label": label, "probability": 0.75,
            "top": {"sea": 0.75, "street": 0.25}, "model": "m" * 64, "provider": "cpu", "times_ms": {"read": 1.5},
            "held": None if mode is Mode.MOVE else source, "times": times_of(original),
        }  # fmt: skip
        with opened_ledger(self.path) as ledger:
            (row,) = ledger.intend([Intent(**(fields | more))], at_s)  # type: ignore[arg-type]
            ledger.conclude({row: outcome}, at_s)
        return target

    def seen(self, photo: Path, now: Path | None, said: str = "", folder: str | None = None) -> None:
        """Tell the ledger what a look saw: the photo at its new place (None: gone), and the label that it says."""
        with opened_ledger(self.path) as ledger, ledger._transaction():
            place_row(ledger._connection, self.output, photo, now, said, folder)


def place_row(
    connection: sqlite3.Connection,
    output: Path,
    filed: Path,
    now: Path | None,
    said: str = "",
    folder: str | None = None,
) -> None:
    """Write a photo's row of `places`, and the event of a label."""
    which = "SELECT id, label, probability, model, sha256, size FROM photos WHERE destination = ? ORDER BY id DESC"
    row, shown, probability, model, sha256, size = connection.execute(which, (os.fsencode(filed),)).fetchone()
    place = (now or filed).relative_to(output)
    status = now.lstat() if now else None
    file = (status.st_ino, status.st_size, status.st_mtime_ns) if status else (0, 0, 0)
    target = os.fsencode(now.readlink()) if now and now.is_symlink() else b""
    where = place.parts[0] if folder is None else folder
    below = os.fsencode(place.parent) if place.parent != Path() else b""
    connection.execute(
        f"INSERT OR REPLACE INTO places VALUES ({', '.join('?' * 12)})",
        (row, below, os.fsencode(place.name), *file, target, where, filed.parent.name, said, size, now is None),
    )
    if said:
        connection.execute(
            f"INSERT INTO labels (at, how, photo, sha256, place, shown, probability, model, said) VALUES"
            f" ({', '.join('?' * 9)})",
            (100.0, "move", row, sha256, os.fsencode(place), shown, probability, model, said),
        )
