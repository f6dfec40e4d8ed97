"""The file that `explain` is asked about: where it lies now, and whether a row of the ledger is about it."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from daemon.files.identity import Identity, sha256_of
from daemon.ledger.queries import Record
from daemon.ledger.since.places import is_photo_of


@dataclass(frozen=True, slots=True)
class AskedFile:
    """What the user named, as it is now.

    Attributes:
        named: its absolute path; a link in the last step is not followed.
        place: where the file itself lies: as `named`, but with all links followed.
        identity: of the file; None if no regular file lies there.
        sha256: of its content; empty if it cannot be read.
        unread: why its content was not read; empty if it was.
    """

    named: Path
    place: Path
    identity: Identity | None
    sha256: str
    unread: str

    @classmethod
    def at(cls, path: Path) -> "AskedFile":
        """Look at a path, relative or absolute, and read the file that lies there."""
        named = path.parent.resolve() / path.name
        identity, sha256, unread = _read(named)
        return cls(named, named.resolve(), identity, sha256, unread)

    def places(self) -> tuple[Path, ...]:
        """Return the paths to look for: a filed link is known by its own path, any other link by its target."""
        return (self.named,) if self.named == self.place else (self.named, self.place)

    def is_of(self, record: Record) -> bool:
        """Tell whether this is the file of a row, unedited."""
        return is_photo_of(record.intent, self.identity, lambda: self.sha256)

    def is_at(self, record: Record) -> bool:
        """Tell whether it lies where the photo or companion of a row is now, as far as the ledger knows."""
        return record.path in (self.named, self.place)

    def is_inode_of(self, record: Record) -> bool:
        """Tell whether the file is still the inode that a row names."""
        return self.identity is not None and self.identity.inode == record.intent.identity.inode


def _read(path: Path) -> tuple[Identity | None, str, str]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None, "", "it is no file"
        identity = Identity.of(status)
    except OSError as error:
        broken = os.path.lexists(path) and isinstance(error, FileNotFoundError)
        return None, "", "it is a link to a file that is gone" if broken else "no file can be read there"
    try:
        return identity, sha256_of(path), ""
    except OSError as error:
        return identity, "", f"it cannot be read ({error.strerror})"
