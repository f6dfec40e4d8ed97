"""Whose a file is, where this process does not see all users.

In a user namespace (PrivateUsers=yes of the unit, a container) the kernel shows every user that is not mapped into it
as one and the same number, 65534. Two strangers look alike there, and a stranger looks like the owner of a folder.
"""

from functools import cache
from pathlib import Path

_ALL = 2**32 - 1
_NOBODY = 65534
_PROC = Path("/proc")


def may_be_anybodys(uid: int, proc: Path = _PROC) -> bool:
    """Tell whether a number of a user may stand for anybody: that of those who are not mapped, where some are not."""
    return uid == _overflow_uid(proc) and not _sees_all(proc)


@cache
def _overflow_uid(proc: Path) -> int:
    try:
        return int((proc / "sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):  # as in a sandbox that hides /proc/sys
        return _NOBODY


@cache
def _sees_all(proc: Path) -> bool:
    """Tell whether every user is mapped into this process's namespace; not where that cannot be read."""
    try:
        lines = (proc / "self/uid_map").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[2]) for line in lines) >= _ALL
    except (OSError, ValueError, IndexError):
        return False
