"""Files that stay in the inbox (originals that were copied, files that are not photos), so that scans can skip them.

Name and inode number identify such a file. A program that changes it in place closes it, and the kernel reports that;
the next full scan finds changes that no event reports.
"""

import os
from pathlib import Path

from daemon.photo import Outcome, Photo

MAX_STAYING = 2_000_000
"""Files remembered, about 70 bytes each; every scan looks at the files beyond."""


class Staying:
    """Files that need no look, known by folder, name and inode number. For one thread.

    Attributes:
        others: how many looks found a file that does not stay; the scanner resets it.
    """

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self.others = 0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, folder: str, name: str, inode: int) -> None:
        """Record that a file stays."""
        if len(self._keys) < MAX_STAYING:
            self._keys.add(hash((name, inode, folder)))

    def note(self, path: Path, inode: int, *, stays: bool) -> None:
        """Record after a look whether a file stays; if not, the next scan looks at it too."""
        folder, name = os.path.split(path)
        if stays:
            self.add(folder, name, inode)
        else:
            self.others += 1
            self._keys.discard(hash((name, inode, folder)))

    def came_back(self, photo: Photo) -> None:
        """Record the outcome of a photo: the next scan finds it again unless it was filed or is gone."""
        if photo.filing.stays or photo.filing.outcome in (Outcome.LEFT, Outcome.AGAIN):
            self.others -= 1
        if photo.filing.stays or photo.filing.outcome is Outcome.LEFT:
            self.note(photo.path, photo.found.identity.inode, stays=True)

    def has(self, folder: str, name: str, inode: int) -> bool:
        """Tell whether a listed file is known to stay."""
        return hash((name, inode, folder)) in self._keys

    def clear(self) -> None:
        """Forget all files, before a full scan."""
        self._keys.clear()
