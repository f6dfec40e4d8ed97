"""Reads the files that labels are brought for: in threads, because hashing waits for the disk and leaves the core."""

import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from hashlib import file_digest
from itertools import islice
from typing import NamedTuple

from contract.formats import SNIFF_BYTES, sniff
from daemon.files.confined import TO_READ
from daemon.labels.by_hand.given import Given
from daemon.process.cores import usable_cores

_TOGETHER = 256
"""Files that are handed to the threads at once."""


class Fault(StrEnum):
    """Why a file takes no label."""

    UNREADABLE = "unreadable"
    NO_PHOTO = "no photo"


class ReadFile(NamedTuple):
    """A label that is brought, with the content that it is about.

    Attributes:
        given: the label.
        sha256: of the content; empty if there is a fault.
        fault: why it takes no label; None if it does.
    """

    given: Given
    sha256: str
    fault: Fault | None


def read_files(given: Iterable[Given]) -> Iterator[ReadFile]:
    """Yield each label with its content, in the same order; a content that is told is not read."""
    left = iter(given)
    with ThreadPoolExecutor(usable_cores()) as pool:
        while some := list(islice(left, _TOGETHER)):
            yield from map(_read, some) if all(one.sha256 for one in some) else pool.map(_read, some)


def _read(given: Given) -> ReadFile:
    if given.sha256:
        return ReadFile(given, given.sha256, None)
    try:
        with os.fdopen(os.open(os.path.realpath(given.path), TO_READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ReadFile(given, "", Fault.NO_PHOTO)
            head = file.read(SNIFF_BYTES)
            if sniff(head) is None:
                return ReadFile(given, "", Fault.NO_PHOTO)
            file.seek(0)
            return ReadFile(given, file_digest(file, "sha256").hexdigest(), None)
    except (OSError, ValueError):  # a path with a zero byte
        return ReadFile(given, "", Fault.UNREADABLE)
