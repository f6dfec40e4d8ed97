"""Names that stay in the inbox: originals that were copied, and what is no photo. A million of them is not looked at
every minute.

A name and the number of its file tell enough: whoever changes the file in place closes it, and that is announced; and
what no event announces is seen by the next scan that looks at all.
"""

import os
from pathlib import Path

from daemon.photo import Outcome, Photo

MAX_STAYING = 2_000_000
"""Names remembered, at about 70 bytes each; what is beyond is looked at by each scan."""


class Staying:
    """Files that need no look, known by folder, name and number; used by one thread.

    Attributes:
        others: how many looks met a file that does not stay, since this was set to 0.
    """

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self.others = 0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, folder: str, name: str, inode: int) -> None:
        """Take note that a file stays."""
        if len(self._keys) < MAX_STAYING:
            self._keys.add(hash((name, inode, folder)))

    def note(self, path: Path, inode: int, *, stays: bool) -> None:
        """Take note of what came of a look at a file: that it stays, or is to be seen by the next scan too."""
        folder, name = os.path.split(path)
        if stays:
            self.add(folder, name, inode)
        else:
            self.others += 1
            self._keys.discard(hash((name, inode, folder)))

    def came_back(self, photo: Photo) -> None:
        """Take note of a photo whose way is over: the next scan meets it again, unless it was filed or is gone."""
        if photo.stays or photo.outcome in (Outcome.LEFT, Outcome.AGAIN):
            self.others -= 1
        if photo.stays or photo.outcome is Outcome.LEFT:
            self.note(photo.path, photo.identity.inode, stays=True)

    def has(self, folder: str, name: str, inode: int) -> bool:
        """Tell whether a name of a listing is known to stay."""
        return hash((name, inode, folder)) in self._keys

    def clear(self) -> None:
        """Forget all, before a scan that looks at all."""
        self._keys.clear()
