"""Removes the embedding of one photo from the files beside a ledger, while a daemon adds to them and others read them.

A file that is mapped must not change, so it is written again without the photo, and takes the place of the old one;
readers keep the old file until they have done. The lock of the old file keeps what adds to it away meanwhile. A daemon
that sets a file aside in this very moment can cost what was added since: embeddings may be lost, and are made again.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from daemon.ledger.embeddings import EMBEDDINGS, OLDER, header_in
from daemon.ledger.errors import LedgerError

WITHOUT = f".{EMBEDDINGS}.without"
"""Name of the new file until it is complete."""
_TRIES = 10
_BLOCK = 16_384  # records in memory at once


def forget_embedding(state: Path, sha256: str) -> int:
    """Remove the embeddings of a photo; returns how many there were.

    Args:
        state: folder of the ledger.
        sha256: of the photo's bytes, hexadecimal.

    Raises:
        LedgerError: a file cannot be read or written.
    """
    wanted, removed = np.frombuffer(bytes.fromhex(sha256), "<u8"), 0
    try:
        for _ in range(_TRIES):  # until none is found: the two files may change places meanwhile
            found = sum(_remove(state / name, wanted) for name in (OLDER, EMBEDDINGS))
            removed += found
            if not found:
                return removed
    except OSError as error:
        raise LedgerError(
            f"The embeddings in {printable(state)} cannot be written ({error.strerror}). Run this as their owner."
        ) from error
    raise LedgerError(f"The embeddings in {printable(state)} change too fast. Try again.")


def _remove(path: Path, wanted: NDArray[np.uint64]) -> int:
    with suppress(FileNotFoundError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        count = sum(int((~others).sum()) for _, others in _blocks(file, wanted))
        if count:
            _write_without(file, path, wanted)
        return count
    return 0


def _write_without(file: IO[bytes], path: Path, wanted: NDArray[np.uint64]) -> None:
    part = path.with_name(WITHOUT)
    part.unlink(missing_ok=True)  # left by a kill
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as new:
        file.seek(0)
        header_in(file)
        header = file.tell()
        file.seek(0)
        new.write(file.read(header))
        for records, others in _blocks(file, wanted):
            new.write(records[others].tobytes())
    part.replace(path)


def _blocks(file: IO[bytes], wanted: NDArray[np.uint64]) -> "Iterator[tuple[NDArray[np.void], NDArray[np.bool_]]]":
    """Yield all whole records of a file, some at a time, and which of them are not of the photo."""
    file.seek(0)
    found = header_in(file)
    while found is not None:
        _, record = found
        data = file.read(_BLOCK * record.itemsize)
        records = np.frombuffer(data[: len(data) // record.itemsize * record.itemsize], record)
        if not len(records):
            return
        yield records, (records["sha256"] != wanted).any(axis=1)
