"""Find the process that locks a file, without a lock of our own, which would stop a daemon that starts just then."""

import os
from pathlib import Path

_LOCKS, _MOUNTS = Path("/proc/locks"), Path("/proc/self/mountinfo")


def holder_of(path: Path) -> str | None:
    """Return the id of the process that holds a lock on a file, or None (proc_locks(5)).

    Raises:
        FileNotFoundError: the file does not exist.
        OSError, ValueError: the kernel does not report it.
    """
    wanted = _number(path).encode()
    lines = map(bytes.split, _LOCKS.read_bytes().splitlines())
    return next((line[4].decode() for line in lines if wanted in line), None)


def _number(path: Path) -> str:
    """Return a file's device and inode as /proc/locks shows them; on overlay and Btrfs, stat(2) gives other numbers."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        words = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").split()
        inode = words[words.index("ino:") + 1] if "ino:" in words else str(os.fstat(descriptor).st_ino)  # Linux 5.14
    finally:
        os.close(descriptor)
    mount = words[words.index("mnt_id:") + 1].encode()
    for line in map(bytes.split, _MOUNTS.read_bytes().splitlines()):
        if line[0] == mount:
            major, minor = map(int, line[2].split(b":"))
            return f"{major:02x}:{minor:02x}:{inode}"
    raise ValueError(f"{_MOUNTS} has no mount {mount.decode()}")
