"""The storage that copies go to. A copy is there whole under its own name or not at all, and overwrites nothing.

A local folder has the kernel's no-replace rename. An object is put in one step; between the look and the put another
program could take its name, so let nobody else write below the same URL meanwhile.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from bulk.filing.errors import FilingError
from bulk.storage import file_system, local_path
from common.publish import sync_directory
from common.text import printable
from daemon.files.identity import sha256_of
from daemon.files.rename import rename_noreplace

PART_BYTES = 1 << 20


class CopyPlace(Protocol):
    """Where copies go; any thread may use it."""

    def address(self, name: str) -> str:
        """Return the full path or URL of a copy."""

    def size(self, name: str) -> int | None:
        """Return the size of what has a name, in bytes; None if nothing has."""

    def sha256(self, name: str) -> str:
        """Read what has a name; return its hash, hexadecimal."""

    def put(self, name: str, source: Path, sha256: str) -> bool:
        """Copy a file there, if the name is free and the file has this hash; tells whether it did."""


def copy_place(base: str) -> CopyPlace:
    """Return the place for a folder or URL.

    Raises:
        RootError: such a URL cannot be reached.
    """
    path = local_path(base)
    return ObjectPlace(base) if path is None else FolderPlace(path)


class FolderPlace:
    """A folder, made if missing.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, name: str) -> str:
        """As in `CopyPlace`."""
        return str(self._root / name)

    def size(self, name: str) -> int | None:
        """As in `CopyPlace`."""
        try:
            return (self._root / name).lstat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("cannot be looked at", self.address(name), error) from error

    def sha256(self, name: str) -> str:
        """As in `CopyPlace`."""
        try:
            return sha256_of(self._root / name)
        except OSError as error:
            raise _failed("cannot be read", self.address(name), error) from error

    def put(self, name: str, source: Path, sha256: str) -> bool:
        """As in `CopyPlace`."""
        target = self._root / name
        # The same name at each try: what a kill leaves of it is written over and renamed by the next call.
        hidden = target.with_name(f".{hashlib.blake2s(os.fsencode(sha256 + name), digest_size=8).hexdigest()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _copy(source, hidden)
                if sha256_of(hidden) != sha256:
                    return False
                rename_noreplace(hidden, target)
                sync_directory(target.parent)
            finally:
                with suppress(FileNotFoundError):
                    hidden.unlink()
        except FileExistsError:
            return False
        except OSError as error:
            raise _failed("cannot be written", self.address(name), error) from error
        return True


class ObjectPlace:
    """A prefix of a storage that fsspec reaches.

    Args:
        base: its URL.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._files, root = file_system(base)
        self._root = root.rstrip("/")

    def address(self, name: str) -> str:
        """As in `CopyPlace`."""
        return f"{self._base}/{name}"

    def size(self, name: str) -> int | None:
        """As in `CopyPlace`."""
        try:
            return int(self._files.info(f"{self._root}/{name}")["size"])
        except FileNotFoundError:
            return None
        except Exception as error:  # each storage has errors of its own
            raise _failed("cannot be looked at", self.address(name), error) from error

    def sha256(self, name: str) -> str:
        """As in `CopyPlace`."""
        digest = hashlib.sha256()
        try:
            with self._files.open(f"{self._root}/{name}", "rb") as file:
                while part := file.read(PART_BYTES):
                    digest.update(part)
        except Exception as error:  # as above
            raise _failed("cannot be read", self.address(name), error) from error
        return digest.hexdigest()

    def put(self, name: str, source: Path, sha256: str) -> bool:
        """As in `CopyPlace`."""
        try:
            if sha256_of(source) != sha256:
                return False
            self._files.put_file(os.fspath(source), f"{self._root}/{name}")
        except Exception as error:  # as above
            raise _failed("cannot be written", self.address(name), error) from error
        return True


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        while part := read.read(PART_BYTES):
            written.write(part)
        written.flush()
        os.fsync(written.fileno())


def _failed(what: str, address: str, error: Exception) -> FilingError:
    why = " ".join(str(error).split()) or type(error).__name__
    return FilingError(
        f"{printable(address)} {what} ({printable(why)}). What was copied stays. Mend it, and give the same command "
        "again."
    )
