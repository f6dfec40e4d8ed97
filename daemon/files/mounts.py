"""The kind of file system of a folder: on a share the kernel reports no change made by other machines."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_SHARES = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "orangefs"),
        *("coda", "ncpfs", "gfs2", "ocfs2", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "fuse"),
    )
)
_NUMBERED = frozenset(("nfs", "nfs4", "ceph", "lustre", "gfs2", "ocfs2"))
"""Shares on which inode numbers are permanent."""
_UNNUMBERED = frozenset(("vfat", "msdos", "exfat", "fuseblk"))
"""Disks on which inode numbers change: the kernel assigns them when it meets a file."""
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_FSTAB = Path("/etc/fstab")


class Mount(NamedTuple):
    """The mount of a folder: its number in the kernel, and the type of its file system."""

    number: int
    kind: str

    @property
    def is_share(self) -> bool:
        """Whether other machines can change it unseen; assumed of all FUSE, except `fuseblk` (NTFS on a disk)."""
        return self.kind in _SHARES or self.kind.startswith("fuse.")

    @property
    def numbers_last(self) -> bool:
        """Whether inode numbers are permanent and unique."""
        return self.kind in _NUMBERED if self.is_share else self.kind not in _UNNUMBERED


def mount_of(folder: Path) -> Mount | None:
    """Return the mount of a folder; None if the folder or /proc cannot be read.

    The number comes from the opened folder (proc_pid_fdinfo(5)), so no path must be parsed. Two mounts of one file
    system are different, because a rename between them fails.
    """
    with suppress(OSError, ValueError, IndexError):
        number = number_of_mount(folder)
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            if line.startswith(b"%d " % number):
                return Mount(number, os.fsdecode(line.partition(b" - ")[2].split()[0]))
    return None


def number_of_mount(folder: Path) -> int:
    """Return the number of a folder's mount in the kernel; OSError or ValueError if it is unknown."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        facts = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").split()
    finally:
        os.close(descriptor)
    return int(facts[facts.index("mnt_id:") + 1])


def unescaped(field: bytes) -> Path:
    """Decode a path of /proc/self/mountinfo, where blanks and similar characters are octal numbers."""
    return Path(os.fsdecode(_ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), field)))


def mounts_in(folder: Path) -> dict[Path, Mount]:
    """Return the mounts inside a folder, by mount point."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            path = unescaped(line.split()[4])
            if path != folder and path.is_relative_to(folder) and (mount := mount_of(path)) is not None:
                found[path] = mount
    return found


def is_mounted(folder: Path) -> bool:
    """Tell whether a folder is a mount point, also of a bind mount within one file system."""
    return folder in mounts_in(folder.parent)


def mount_that_is_away(path: Path, fstab: Path = _FSTAB) -> Path | None:
    """Return the folder at or above a path that is a mount point in /etc/fstab, but has no mount now."""
    for folder in _wanted(fstab):
        if path.is_relative_to(folder) and not os.path.ismount(folder):
            return folder
    return None


def _wanted(fstab: Path) -> Iterator[Path]:
    with suppress(OSError):
        for line in fstab.read_bytes().splitlines():
            fields = line.split()
            if len(fields) > 2 and fields[1].startswith(b"/") and not line.lstrip().startswith(b"#"):
                yield Path(os.fsdecode(fields[1].replace(b"\\040", b" ")))
