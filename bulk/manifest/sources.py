"""What a root is, and its photos as rows in an order that does not change."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from urllib.parse import quote, unquote_to_bytes

from bulk.errors import RootError
from bulk.manifest.chunk import Chunk, Source
from bulk.manifest.local import LocalFolder
from bulk.manifest.tables import SUFFIXES, TableSource
from bulk.manifest.walk import Files, Lister, Walk
from bulk.storage import local_path, text_of
from common.text import printable

WINDOW = 64
"""Pages of photos that threads look at before they are asked for."""


class FolderSource:
    """A tree of folders.

    Args:
        name: as people name the root.
        lister: of the root.
    """

    def __init__(self, name: str, lister: Lister) -> None:
        self._name = name
        self._lister = lister

    def chunks(self, pool: Executor, after: str) -> Iterator[Chunk]:
        """Yield the rows of the tree; threads look at photos ahead."""
        files = Walk(self._lister, pool).files(unquote_to_bytes(after))
        waiting: deque[Future[Chunk]] = deque()
        try:
            for page in files:
                waiting.append(pool.submit(self._chunk, page))
                if len(waiting) > WINDOW:
                    yield waiting.popleft().result()
        except OSError as error:
            raise RootError(
                f"{self._name} cannot be listed ({error.strerror or error}). Check the name, and whether this user may "
                "read it."
            ) from error
        while waiting:
            yield waiting.popleft().result()

    def _chunk(self, files: Files) -> Chunk:
        table, numbers, unread = self._lister.table(files)
        if files.unread:
            unread = [f"{self._name.rstrip('/')}/{printable(files.prefix)} ({files.unread})"]
        return Chunk(table, partial(_key, files, numbers), tuple(unread))


def _key(files: Files, numbers: Sequence[int], row: int) -> str:
    return quote(files.prefix + files.page.names[numbers[row]])


def resolve(root: str) -> str:
    """Return a root as the text of a table: an absolute path or a URL, without a slash at its end.

    Raises:
        RootError: there is no such file or folder.
    """
    path = local_path(root)
    if path is None:
        return root if root.endswith("://") else root.rstrip("/")
    if not path.exists():
        raise RootError(f"{printable(path)} does not exist. Name a folder, a table of photos, or a URL.")
    return text_of(os.fsencode(os.path.abspath(path)))  # noqa: PTH100 - links stay as they are named


def open_root(root: str) -> Source:
    """Return what lists a root.

    Args:
        root: as `resolve` returns it.

    Raises:
        RootError: it is neither a folder nor a table of photos.
    """
    path = local_path(root)
    if root.lower().endswith(SUFFIXES) and not (path is not None and path.is_dir()):
        return TableSource(root)
    if path is None:
        from bulk.manifest.remote import open_storage

        return FolderSource(printable(root), open_storage(root))
    if not path.is_dir():
        raise RootError(f"{printable(path)} is no folder, and no table of photos ({', '.join(SUFFIXES)}).")
    return FolderSource(printable(path), LocalFolder(os.fsencode(path)))
