"""What a file system lets a name be: how long, and of which characters.

Encrypted folders take 143 bytes (eCryptfs), others 255; a path ends at 4,095. FAT, exFAT and NTFS refuse characters,
and NTFS names that are no UTF-8. A name that is refused is no trouble of the disk: a plainer one helps.
"""

import errno
import os
from pathlib import Path

from daemon.files.mounts import mount_of

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095
SAFE_NAME_BYTES = 143
"""The least that a file system in use takes: eCryptfs, and rclone's crypt. It is kept to once a name was refused."""
HIDDEN_BYTES = 50
"""Of `names.hidden_name`, which must fit beside each destination."""
REFUSED = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""What the kernel answers for a name that the file system cannot hold; so no file has it."""
MAX_PLAINNESS = 2
MAX_FOLDERS = 4096
"""Folders whose limits are remembered."""
_STRICT = ("vfat", "msdos", "exfat")
_ILLEGAL = str.maketrans(dict.fromkeys((*map(chr, range(32)), *'"*:<>?|\\\x7f'), "_"))


def most_bytes(folder: Path) -> int:
    """Return how long a name in a folder may be, by its file system's word and by the length of its path."""
    room = MAX_PATH_BYTES - len(os.fsencode(folder)) - 1
    for there in (folder, *folder.parents):
        try:
            return min(room, MAX_NAME_BYTES, os.statvfs(there).f_namemax or MAX_NAME_BYTES)
        except OSError:
            continue  # it is to be made yet
    return min(room, MAX_NAME_BYTES)


def is_taken(path: str | Path) -> bool:
    """Tell whether something has a name.

    Raises:
        OSError: the file system cannot hold such a name (`REFUSED`).
    """
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno in REFUSED:
            raise
        return False
    return True


def plain(name: str, plainness: int) -> str:
    """Return a name that more file systems take.

    Args:
        name: of a file or folder.
        plainness: 0 for the name itself; 1 without the characters that FAT, exFAT and NTFS refuse, and without bytes
            that are no UTF-8; 2 in ASCII.
    """
    if plainness == 0:
        return name
    text = name.encode(errors="surrogateescape").decode(errors="replace").replace("\ufffd", "_").translate(_ILLEGAL)
    if plainness > 1:
        text = "".join(character if character.isascii() else "_" for character in text)
    kept = text.rstrip(". ")
    return kept + "_" * (len(text) - len(kept))


class Limits:
    """Remembers what the file systems below an output take, so that each is asked once; used by one thread."""

    def __init__(self) -> None:
        self._devices: dict[int, tuple[int, int]] = {}
        self._folders: dict[str, tuple[int, int]] = {}

    def of(self, folder: Path) -> tuple[int, int]:
        """Return how long a name in a folder may be, and how plain it must be at least."""
        key = str(folder)
        if key not in self._folders:
            if len(self._folders) >= MAX_FOLDERS:
                self._folders.clear()
            try:
                self._folders[key] = self._asked(folder)
            except OSError:  # it is to be made yet, as in a dry run: its own limits are asked when it is there
                return most_bytes(folder), 0
        return self._folders[key]

    def _asked(self, folder: Path) -> tuple[int, int]:
        device = folder.stat().st_dev
        if device not in self._devices:
            mount = mount_of(folder)
            strict = mount is not None and mount.kind in _STRICT
            self._devices[device] = os.statvfs(folder).f_namemax or MAX_NAME_BYTES, int(strict)
        most, plainness = self._devices[device]
        return min(most, MAX_NAME_BYTES, MAX_PATH_BYTES - len(os.fsencode(folder)) - 1), plainness
