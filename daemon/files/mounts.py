"""What kind of file system a folder lies on: on a share the kernel announces nothing that other machines do."""

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
"""Shares on which a file keeps its number."""
_UNNUMBERED = frozenset(("vfat", "msdos", "exfat", "fuseblk"))
"""Disks on which it does not: numbers are handed out as files are met."""
_ESCAPED = re.compile(rb"\\([0-7]{3})")
_FSTAB = Path("/etc/fstab")


class Mount(NamedTuple):
    """What is mounted where a folder lies: the kernel's number of the mount, and the type of its file system."""

    number: int
    kind: str

    @property
    def is_share(self) -> bool:
        """Whether others can change it unseen; of FUSE all but `fuseblk` (NTFS on a disk), for it may be anything."""
        return self.kind in _SHARES or self.kind.startswith("fuse.")

    @property
    def numbers_last(self) -> bool:
        """Whether a file keeps its number, which no other file has meanwhile."""
        return self.kind in _NUMBERED if self.is_share else self.kind not in _UNNUMBERED


def mount_of(folder: Path) -> Mount | None:
    """Tell on what mount a folder lies; None if the folder or /proc cannot be looked at.

    The number comes from the opened folder itself (proc_pid_fdinfo(5)), so that no path has to be taken apart, and two
    mounts of one file system, between which a rename fails, are two.
    """
    with suppress(OSError, ValueError, IndexError):
        number = number_of_mount(folder)
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            if line.startswith(b"%d " % number):
                return Mount(number, os.fsdecode(line.partition(b" - ")[2].split()[0]))
    return None


def number_of_mount(folder: Path) -> int:
    """Return the kernel's number of the mount that a folder lies on; OSError or ValueError if it cannot be told."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        facts = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").split()
    finally:
        os.close(descriptor)
    return int(facts[facts.index("mnt_id:") + 1])


def unescaped(field: bytes) -> Path:
    """Return a path of /proc/self/mountinfo, where blanks and the like are written as octal numbers."""
    return Path(os.fsdecode(_ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), field)))


def mounts_in(folder: Path) -> dict[Path, Mount]:
    """Return what is mounted inside a folder, by the folder that it is mounted at."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            path = unescaped(line.split()[4])
            if path != folder and path.is_relative_to(folder) and (mount := mount_of(path)) is not None:
                found[path] = mount
    return found


def is_mounted(folder: Path) -> bool:
    """Tell whether something is mounted at a folder, also a part of the same file system."""
    return folder in mounts_in(folder.parent)


def mount_that_is_away(path: Path, fstab: Path = _FSTAB) -> Path | None:
    """Return the folder at or above a path where the system's table wants a mount, and where none is now."""
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
