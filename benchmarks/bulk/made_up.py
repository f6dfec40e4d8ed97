"""Lists a tree that is made up, of any number of photos, into a plan: all of `bulk plan` but the disk.

    python -m benchmarks.bulk.made_up PHOTOS PLAN

Each folder holds a thousand photos.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from bulk.manifest.make import THREADS
from bulk.manifest.rows import rows
from bulk.manifest.sources import FolderSource
from bulk.manifest.walk import PAGE, Files, Page
from bulk.manifest.writer import PartWriter, Progress


class MadeUp:
    """A tree of photos that exist nowhere.

    Args:
        photos: how many.
    """

    def __init__(self, photos: int) -> None:
        self._folders = photos // PAGE

    def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
        """Yield the folders of the root, or the photos of one."""
        if prefix:
            yield Page([b"IMG_%05d.jpg" % number for number in range(PAGE)])
        else:
            yield Page([b"%06d/" % number for number in range(self._folders)])

    def table(self, files: Files) -> tuple[pa.Table, Sequence[int], list[str]]:
        """Return their rows."""
        names = files.page.names
        stamps = [str(1_700_000_000_000_000_000 + number) for number in range(len(names))]
        return rows(b"/nowhere/", files.prefix, names, [4_000_000] * len(names), stamps), range(len(names)), []


if __name__ == "__main__":
    parts = Path(sys.argv[2]) / "parts"
    parts.mkdir(parents=True)
    writer = PartWriter(parts.parent, 2_000, Progress(), lambda _: None)
    with ThreadPoolExecutor(THREADS) as pool:
        for chunk in FolderSource("/nowhere", MadeUp(int(sys.argv[1]))).chunks(pool, ""):
            writer.add(0, chunk)
    writer.publish()
