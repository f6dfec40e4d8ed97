"""Who owns a file, if this process does not see all users.

In a user namespace (PrivateUsers=yes of the unit, a container) the kernel shows every unmapped user as the same number,
65534. There two different users look alike, and one of them may look like the owner of a folder.
"""

from functools import cache
from pathlib import Path

_ALL = 2**32 - 1
_NOBODY = 65534
_PROC = Path("/proc")


def may_be_any_user(uid: int, proc: Path = _PROC) -> bool:
    """Tell whether a user number may stand for any user: it is that of unmapped users, and some users are unmapped."""
    return uid == _overflow_uid(proc) and not _sees_all(proc)


@cache
def _overflow_uid(proc: Path) -> int:
    try:
        return int((proc / "sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):  # for example in a sandbox that hides /proc/sys
        return _NOBODY


@cache
def _sees_all(proc: Path) -> bool:
    """Tell whether every user is mapped into this process's namespace; False if that cannot be read."""
    try:
        lines = (proc / "self/uid_map").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[2]) for line in lines) >= _ALL
    except (OSError, ValueError, IndexError):
        return False
