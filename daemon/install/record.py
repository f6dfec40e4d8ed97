"""What an installation wrote, so that an uninstallation removes exactly that."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from common.publish import publish_bytes
from common.text import printable
from daemon.install.errors import ServiceError
from daemon.install.places import Places


@dataclass(slots=True)
class Record:
    """What was made for one service.

    Attributes:
        files: SHA-256 of each file that was written, by path.
        folders: the folders that were made, in order.
        state: the folder of the ledger.
        left: sentences about what an uninstallation leaves, and how to remove that by hand.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    state: str = ""
    left: list[str] = field(default_factory=list)

    def wrote(self, path: Path, text: str) -> None:
        self.files[os.fspath(path)] = sha256(text.encode()).hexdigest()

    def is_unchanged(self, path: str) -> bool:
        """Return whether a file still holds what was written."""
        try:
            return sha256(Path(path).read_bytes()).hexdigest() == self.files[path]
        except OSError:
            return False


def load(places: Places) -> Record | None:
    """Return the record of a service, or None if there is none.

    Raises:
        ServiceError: the record cannot be read.
    """
    try:
        return Record(**json.loads(places.record.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ServiceError(f"{printable(places.record)} cannot be read: {error}.") from error


def save(places: Places, record: Record) -> None:
    """Write the record."""
    places.records.mkdir(mode=0o755, parents=True, exist_ok=True)
    fields = {"files": record.files, "folders": record.folders, "state": record.state, "left": record.left}
    publish_bytes(places.record, json.dumps(fields, indent=1).encode() + b"\n")


def forget(places: Places) -> None:
    """Remove the record, and after the last one its folders, if they are empty."""
    places.record.unlink(missing_ok=True)
    with suppress(OSError):
        places.records.rmdir()
        places.records.parent.rmdir()


def others(places: Places) -> Iterator[str]:
    """Yield the names of other services that were installed here."""
    with suppress(OSError):
        yield from sorted(path.stem for path in places.records.glob("*.json") if path.stem != places.name)
