"""Goes through a tree in the order of its keys, and lists the folders ahead in threads.

A key is a path below the root, and a folder's key ends with a slash. The order is that of the keys' bytes, which is the
order in which S3 lists. So one key says how far a listing has come, and whoever goes on opens only the folders on the
way to that key. Storage answers slowly and can answer much at once, so the next folders are opened before it is their
turn; a tree that does not change is listed in the same order whatever answers first.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import pyarrow as pa

PAGE = 1_000
"""Names in a page: what S3 sends in one answer."""
AHEAD = 32
"""Folders that are opened before it is their turn."""

Itself = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """Names of a folder, in the order of their bytes; those of folders end with a slash.

    Attributes:
        names: photos, and folders to be entered.
        sizes: bytes of each; None where only `Lister.table` looks.
        stamps: of each, as bulk/manifest/schema.py says; None in the same case.
        itself: what tells a local folder from every other.
    """

    names: Sequence[bytes]
    sizes: Sequence[int] | None = None
    stamps: Sequence[str] | None = None
    itself: Itself | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Photos of one folder, one after the other; or what could not be read.

    Attributes:
        prefix: key of the folder.
        page: the photos.
        unread: sentence about a folder that cannot be listed; then there are no photos.
    """

    prefix: bytes
    page: Page
    unread: str = ""


class Lister(Protocol):
    """Reads the folders of one root."""

    def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
        """Yield the pages of a folder; those that end before the key `after` may be left out.

        Raises:
            OSError: this folder cannot be listed, and others may.
            RootError: nothing can be listed, as when a network is away.
        """

    def table(self, files: Files) -> tuple[pa.Table, Sequence[int], list[str]]:
        """Return rows of a manifest, the index in the page of each, and sentences about files that cannot be read."""


class Walk:
    """One way through a tree.

    Args:
        lister: of the root.
        pool: threads that list.
    """

    def __init__(self, lister: Lister, pool: Executor) -> None:
        self._lister = lister
        self._pool = pool

    def files(self, after: bytes = b"") -> Iterator[Files]:
        """Yield the photos whose keys come after `after`.

        Raises:
            OSError: the root cannot be listed.
        """
        root = self._open(b"", after)
        root.first.result()
        yield from self._below(root, frozenset())

    def _open(self, prefix: bytes, after: bytes) -> "_Opened":
        steps = self._lister.pages(prefix, after)
        return _Opened(prefix, after, steps, self._pool.submit(next, steps, None))

    def _below(self, folder: "_Opened", above: frozenset[Itself]) -> Iterator[Files]:
        inside = above
        try:
            for page in self._pages(folder):
                if page.itself is not None:
                    if page.itself in above:
                        return  # a bind mount of a folder above: the listing would never end
                    inside = above | {page.itself}
                yield from self._in_page(folder, _rest(page, folder), inside)
        except FileNotFoundError:
            return  # it was removed after its name was read
        except OSError as error:
            yield Files(folder.prefix, Page(()), error.strerror or str(error))

    def _pages(self, folder: "_Opened") -> Iterator[Page]:
        coming = folder.first
        while (page := coming.result()) is not None:
            coming = self._pool.submit(next, folder.steps, None)  # while the caller is busy with this page
            yield page

    def _in_page(self, folder: "_Opened", page: Page, above: frozenset[Itself]) -> Iterator[Files]:
        after = folder.after
        keys = (folder.prefix + name for name in page.names if name.endswith(b"/"))
        folders = self._opened((key, after if after.startswith(key) else b"") for key in keys)
        for is_folder, numbers in groupby(range(len(page.names)), lambda number: page.names[number].endswith(b"/")):
            if is_folder:
                for _ in numbers:
                    yield from self._below(next(folders), above)
            else:
                yield Files(folder.prefix, _part(page, list(numbers)))

    def _opened(self, keys: Iterable[tuple[bytes, bytes]]) -> Iterator["_Opened"]:
        waiting: deque[_Opened] = deque()
        for prefix, after in keys:
            waiting.append(self._open(prefix, after))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting


@dataclass(frozen=True, slots=True)
class _Opened:
    prefix: bytes
    after: bytes
    steps: Iterator[Page]
    first: "Future[Page | None]"


def _part(page: Page, numbers: Sequence[int]) -> Page:
    first, end = numbers[0], numbers[-1] + 1
    sizes = None if page.sizes is None else page.sizes[first:end]
    return Page(page.names[first:end], sizes, None if page.stamps is None else page.stamps[first:end])


def _rest(page: Page, folder: _Opened) -> Page:
    """What of a page comes after the key, with the folder that holds that key."""
    if not folder.after:
        return page
    keys = ((number, folder.prefix + name) for number, name in enumerate(page.names))
    kept = [
        number for number, key in keys if key > folder.after or (key.endswith(b"/") and folder.after.startswith(key))
    ]
    return _part(page, kept) if kept else Page(())
