"""Where results lie: a local folder, or a URL that fsspec reads. A file is there whole or not at all."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from bulk.errors import BulkError
from bulk.storage import file_system, local_path, storage_errors
from common.publish import publish_bytes
from common.text import printable

LEFTOVER_S = 3600.0
"""A hidden file that is older was left by a process that was killed: writing one takes seconds."""


class Place(Protocol):
    """A folder. Names may hold one slash."""

    def names(self, folder: str) -> set[str]:
        """Return the names in a folder below; none if it does not exist."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if there is no such file."""

    def write(self, name: str, data: bytes) -> None:
        """Put a file there in one step: a rename, or one PUT. Folders are made."""


def place_of(where: str | Path) -> Place:
    """Return the place for a path or URL.

    Raises:
        RootError: what a URL needs is not installed.
    """
    text = os.fspath(where)
    path = local_path(text)
    return RemotePlace(text) if path is None else LocalPlace(path)


class LocalPlace:
    """A folder of this machine, or one that is mounted.

    Args:
        root: need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return printable(self.root)

    def names(self, folder: str) -> set[str]:
        """As in `Place`; what a killed writer left long ago is removed."""
        found = set()
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        found.add(entry.name)
                    elif entry.name.endswith(".part"):
                        _remove_leftover(Path(entry.path))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise self._error("listed", error) from error
        return found

    def read(self, name: str) -> bytes | None:
        """As in `Place`."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """As in `Place`."""
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            publish_bytes(path, data)
        except OSError as error:
            raise self._error("written", error) from error

    def _error(self, done: str, error: OSError) -> BulkError:
        return BulkError(
            f"{self} cannot be {done}: {error.strerror}. The parts that are there are whole; when that is mended, give"
            " the same command again."
        )


class RemotePlace:
    """A prefix of an object store.

    Args:
        url: such as `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files, self._root = file_system(url)

    def __str__(self) -> str:
        return printable(self.url)

    def names(self, folder: str) -> set[str]:
        """As in `Place`."""
        self._files.invalidate_cache()
        try:
            found = self._files.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return set()
        except storage_errors() as error:
            raise self._error("listed", error) from error
        return {path.rstrip("/").rpartition("/")[2] for path in found} - {""}

    def read(self, name: str) -> bytes | None:
        """As in `Place`."""
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None
        except storage_errors() as error:
            raise self._error("read", error) from error

    def write(self, name: str, data: bytes) -> None:
        """As in `Place`."""
        try:
            self._files.pipe_file(f"{self._root}/{name}", data)
        except storage_errors() as error:
            raise self._error("written", error) from error

    def _error(self, done: str, error: Exception) -> BulkError:
        why = " ".join(str(error).split()) or type(error).__name__
        return BulkError(
            f"{self} cannot be {done}: {why.rstrip('.')}. The parts that are there are whole; when that is mended, give"
            " the same command again."
        )


def _remove_leftover(path: Path) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > LEFTOVER_S:
            path.unlink()
