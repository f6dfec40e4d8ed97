"""Lists local folders, and looks at the photos in them."""

import os
import stat
from collections.abc import Iterator, Sequence

import pyarrow as pa

from bulk.manifest.rows import rows
from bulk.manifest.rules import is_closed, is_entered, is_photo
from bulk.manifest.walk import PAGE, Files, Page
from common.text import printable


class LocalFolder:
    """The tree below a local folder. Links are not followed.

    Args:
        root: absolute path.
    """

    def __init__(self, root: bytes) -> None:
        self.base = root.rstrip(b"/") + b"/"

    def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
        """Yield the names of a folder; all of them are read at first, because a file system lists them in any order.

        Raises:
            OSError: it cannot be listed.
        """
        status = os.lstat(self.base + prefix)
        names = self._names(prefix)
        for first in range(0, max(len(names), 1), PAGE):
            yield Page(names[first : first + PAGE], itself=None if first else (status.st_dev, status.st_ino))

    def _names(self, prefix: bytes) -> list[bytes]:
        listed, others = [], set()
        with os.scandir(self.base + prefix) as entries:
            for entry in entries:
                name = entry.name
                if is_photo(name) and entry.is_file(follow_symlinks=False):
                    listed.append(name)
                elif not entry.is_dir(follow_symlinks=False):
                    others.add(name)
                elif is_entered(name):
                    listed.append(name + b"/")
        if prefix and is_closed(others):
            return []
        listed.sort()
        return listed

    def table(self, files: Files) -> tuple[pa.Table, Sequence[int], list[str]]:
        """Look at each photo. One that is gone is left out, and one that cannot be looked at is told of."""
        found, unread = [], []
        for number, name in enumerate(files.page.names):
            path = self.base + files.prefix + name
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                unread.append(f"{printable(path)} ({error.strerror})")
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((number, name, status.st_size, str(status.st_mtime_ns)))
        numbers, names, sizes, stamps = zip(*found, strict=True) if found else ((), (), (), ())
        return rows(self.base, files.prefix, names, sizes, stamps), numbers, unread
