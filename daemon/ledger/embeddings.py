"""Embeddings of filed photos: a file beside the ledger, which may be lost at any time, because `replay` makes it again.

A file holds embeddings of one id, because others cannot be compared with them: a header of one page, then records of
one size, each the SHA-256 of a photo and its embedding as float16. A photo is known by its content and not by its row,
because a new or restored ledger gives the same rows to other photos.

Nothing is synced. A kill can cut off only the last record: it is not read, and the next one overwrites it. A power cut
can leave records of zeros, which are no embeddings, because their length is not one.

Except at its end a file never changes, so that a reader may keep it mapped. It is set aside as `embeddings.old` when it
has half the size that both may have, or when another id comes. What was set aside before is dropped, or takes its place
again if it has that id, so that a day with another model costs nothing.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.familiarity import MAX_DIMENSIONS
from daemon.ledger.errors import LedgerError

EMBEDDINGS, OLDER = "embeddings", "embeddings.old"
"""Names of the file in use and of the one that was set aside, beside the ledger."""
MAX_BYTES = 512 << 20
"""Most that both files may take: 1.8 million photos of 288 bytes."""
_MAGIC = b"phototriage embeddings 1"
_HEADER_BYTES = 4096
_BLOCK = 16_384  # records whose length is computed at once: 8 MB as float32
_TOLERANCE = 0.02  # of the square of the length, which float16 changes by at most 0.001


class Embeddings(NamedTuple):
    """Embeddings of one file, in the order in which they were added. A photo that was filed twice may be there twice.

    Attributes:
        sha256: uint64 [n, 4], the photo's SHA-256 as four numbers in little-endian order.
        values: float16 [n, D], rows of length one.
    """

    sha256: NDArray[np.uint64]
    values: NDArray[np.float16]


class _Header(NamedTuple):
    id: str
    dimensions: int

    @property
    def record(self) -> "np.dtype[np.void]":
        return np.dtype([("sha256", "<u8", (4,)), ("values", "<f2", (self.dimensions,))])

    def count(self, file: IO[bytes]) -> int:
        """Return how many whole records a file has."""
        return (_size(file) - _HEADER_BYTES) // self.record.itemsize

    def to_bytes(self) -> bytes:
        return b"\n".join((_MAGIC, self.id.encode(), b"%d" % self.dimensions, b"")).ljust(_HEADER_BYTES, b"\0")


class EmbeddingFiles:
    """Adds embeddings to the files beside a ledger; used by one thread.

    Args:
        state: folder of the ledger.
        max_bytes: most that both files may take.
    """

    def __init__(self, state: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._older = state / EMBEDDINGS, state / OLDER
        self._full_bytes = max_bytes // 2

    def prepare(self, of: str, dimensions: int) -> bool:
        """Make the file ready for embeddings of an id; returns whether it was damaged, and therefore begins again.

        Raises:
            OSError: the folder cannot be written.
        """
        wanted, found, size = _Header(of, dimensions), None, 0
        exists = os.path.lexists(self._path)
        if exists:
            with self._path.open("rb") as file:
                found, size = _header(file), _size(file)
        if found == wanted and size < self._full_bytes:
            return False
        if found is not None and found != wanted and self._is_set_aside(wanted):
            self._swap()
            return self.prepare(of, dimensions)  # it may be full
        if found is not None:
            self._path.replace(self._older)
        self._begin(wanted)
        return exists and found is None

    def add(self, of: str, rows: Sequence[tuple[str, bytes]]) -> int:
        """Add embeddings to the file, unless it is of another id or full; returns how many were added.

        Args:
            of: their id.
            rows: SHA-256 of a photo's bytes, hexadecimal, and its embedding, float16 [D] in little-endian order.

        Raises:
            OSError: the file cannot be written, or is not there.
        """
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # `replay` may add to it too
            if not os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                return self.add(of, rows)  # it was written again without a photo that is forgotten
            header = _header(file)
            if header is None or header.id != of or _size(file) >= self._full_bytes:
                return 0
            whole = [(sha256, values) for sha256, values in rows if len(values) == 2 * header.dimensions]
            file.seek(_HEADER_BYTES + header.count(file) * header.record.itemsize)
            file.write(b"".join(bytes.fromhex(sha256) + values for sha256, values in whole))
        return len(whole)

    def _is_set_aside(self, wanted: _Header) -> bool:
        with suppress(FileNotFoundError), self._older.open("rb") as file:
            return _header(file) == wanted
        return False

    def _swap(self) -> None:
        part = self._part()  # a kill from here on costs what is set aside
        self._path.replace(part)
        self._older.replace(self._path)
        part.replace(self._older)

    def _begin(self, header: _Header) -> None:
        part = self._part()
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(header.to_bytes())
        part.replace(self._path)

    def _part(self) -> Path:
        part = self._path.with_name(f".{EMBEDDINGS}.part")
        part.unlink(missing_ok=True)  # left by a kill
        return part


def read_embeddings(state: Path, of: str) -> Iterator[Embeddings]:
    """Yield the embeddings of an id, those that were set aside first; a file is mapped, and not read into memory.

    Args:
        state: folder of the ledger.
        of: the id.

    Raises:
        OSError: a file cannot be read.
    """
    for records in _records(state, of):
        yield Embeddings(records["sha256"], records["values"])


def may_read_embeddings(state: Path) -> bool:
    """Tell whether this user may read the files, or there are none: others may read the ledger, but not them."""
    found = [state / name for name in (OLDER, EMBEDDINGS) if (state / name).exists()]
    return all(os.access(path, os.R_OK) for path in found)


def copy_embeddings(state: Path, out: IO[bytes]) -> int:
    """Write all embeddings of the id in use as one file; returns how many. Nothing is written if there are none.

    Args:
        state: folder of the ledger.
        out: the new file; as `embeddings` beside a ledger it serves there.

    Raises:
        OSError: a file cannot be read or written.
    """
    header, copied = None, 0
    with suppress(FileNotFoundError), (state / EMBEDDINGS).open("rb") as file:
        header = _header(file)
    for records in _records(state, header.id) if header is not None else ():
        if header is not None and not copied:
            out.write(header.to_bytes())
        for first in range(0, len(records), _BLOCK):
            out.write(records[first : first + _BLOCK].tobytes())
        copied += len(records)
    return copied


def remove_embeddings(state: Path) -> None:
    """Remove the files.

    Raises:
        LedgerError: one cannot be removed.
    """
    try:
        for name in (OLDER, EMBEDDINGS):
            (state / name).unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(
            f"The embeddings in {printable(state)} cannot be removed ({error.strerror}). Remove {EMBEDDINGS} and "
            f"{OLDER} there as their owner."
        ) from error


def mapped_records(state: Path, of: str) -> Iterator["NDArray[np.void]"]:
    """Yield the records of an id as they are in the files; some may be no embeddings, as their length tells.

    Raises:
        OSError: a file cannot be read.
    """
    for path in (state / OLDER, state / EMBEDDINGS):
        with suppress(FileNotFoundError), path.open("rb") as file:
            header = _header(file)
            if header is not None and header.id == of and (count := header.count(file)):
                yield np.memmap(file, header.record, "r", _HEADER_BYTES, (count,))


def header_in(file: IO[bytes]) -> "tuple[str, np.dtype[np.void]] | None":
    """Return the id of a file and the type of the records that follow; None if it is damaged."""
    header = _header(file)
    return None if header is None else (header.id, header.record)


def _records(state: Path, of: str) -> Iterator["NDArray[np.void]"]:
    return map(_whole, mapped_records(state, of))


def _header(file: IO[bytes]) -> _Header | None:
    """Read the header of a file; None if it is damaged."""
    page = file.read(_HEADER_BYTES)
    try:
        magic, of, dimensions, _ = page.split(b"\n", 3)
        header = _Header(of.decode(), int(dimensions))
    except ValueError:
        return None
    right = magic == _MAGIC and len(page) == _HEADER_BYTES and 0 < header.dimensions <= MAX_DIMENSIONS
    return header if right else None


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _whole(records: "NDArray[np.void]") -> "NDArray[np.void]":
    """Leave out what is no embedding; usually that is nothing, and nothing is copied."""
    whole = np.empty(len(records), np.bool_)
    for first in range(0, len(records), _BLOCK):
        values = records["values"][first : first + _BLOCK].astype(np.float32)
        whole[first : first + _BLOCK] = abs(np.einsum("ij,ij->i", values, values) - 1) < _TOLERANCE
    return records if whole.all() else records[whole]
