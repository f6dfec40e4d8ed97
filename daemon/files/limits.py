"""Limits of names on a file system: their length and their characters.

A name has at most 143 bytes in encrypted folders (eCryptfs) and 255 elsewhere, a path at most 4,095. FAT, exFAT and
NTFS refuse some characters, and NTFS refuses names that are not UTF-8. A refused name is not an error of the disk: a
plainer name helps.
"""

import errno
import os
import re
from pathlib import Path

from daemon.files.mounts import mount_of

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095
SAFE_NAME_BYTES = 143
"""Lowest limit of the file systems in use (eCryptfs, crypt of rclone); applied after a name was refused."""
HIDDEN_BYTES = 50
"""Length of `names.hidden_name`, which must fit beside each destination."""
REFUSED = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
"""Errors for a name that the file system cannot hold; so no file has that name."""
MAX_PLAINNESS = 2
MAX_FOLDERS = 4096
"""How many folders' limits are cached."""
_STRICT = ("vfat", "msdos", "exfat")
_DEVICE = re.compile(r"^(con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?=\.|$)", re.IGNORECASE)
"""Names of devices, which FAT and Windows refuse with any extension (Microsoft, "Naming Files")."""
_ILLEGAL = str.maketrans(dict.fromkeys((*map(chr, range(32)), *'"*:<>?|\\\x7f'), "_"))


def most_bytes(folder: Path) -> int:
    """Return the longest name in a folder, in bytes: limited by its file system and by the length of the path."""
    room = MAX_PATH_BYTES - len(os.fsencode(folder)) - 1
    for there in (folder, *folder.parents):
        try:
            return min(room, MAX_NAME_BYTES, os.statvfs(there).f_namemax or MAX_NAME_BYTES)
        except OSError:
            continue  # not made yet: ask its parent
    return min(room, MAX_NAME_BYTES)


def is_taken(path: str | Path) -> bool:
    """Tell whether a file of any kind exists at a path.

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
    """Return a plainer name, which more file systems accept.

    Args:
        name: of a file or folder.
        plainness: 0 for the name itself; 1 without the characters and names that FAT, exFAT and NTFS refuse, and
            without bytes that are not UTF-8; 2 in ASCII.
    """
    if plainness == 0:
        return name
    text = name.encode(errors="surrogateescape").decode(errors="replace").replace("\ufffd", "_").translate(_ILLEGAL)
    if plainness > 1:
        text = "".join(character if character.isascii() else "_" for character in text)
    text = _DEVICE.sub(r"\1_", text)
    kept = text.rstrip(". ")
    if kept != text and "." in kept:
        return kept  # else a photo loses its extension
    return kept + "_" * (len(text) - len(kept))


class Limits:
    """Caches the limits of the file systems below an output; used by one thread."""

    def __init__(self) -> None:
        self._devices: dict[int, tuple[int, int]] = {}
        self._folders: dict[str, tuple[int, int]] = {}

    def of(self, folder: Path) -> tuple[int, int]:
        """Return the longest name in a folder, in bytes, and its least plainness."""
        key = str(folder)
        if key not in self._folders:
            if len(self._folders) >= MAX_FOLDERS:
                self._folders.clear()
            try:
                self._folders[key] = self._asked(folder)
            except OSError:  # not made yet, as in a dry run: its limits are read once it exists
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
