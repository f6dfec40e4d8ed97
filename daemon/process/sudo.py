"""Root by sudo: who called it, and work as that user, so that nothing in their folders becomes root's."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def caller() -> pwd.struct_passwd | None:
    """Return the user who called sudo; None unless this is root by sudo."""
    with suppress(KeyError, ValueError, OverflowError):
        uid = int(os.environ.get("SUDO_UID", "0"))
        return pwd.getpwuid(uid) if uid > 0 and os.geteuid() == 0 else None
    return None


@contextmanager
def as_caller(folder: Path) -> Iterator[None]:
    """Work in the block as the user who called sudo, if a state folder is theirs.

    The ledger there says which files are moved. That user wrote it, so it must not move what only root may move.

    Args:
        folder: with the ledger.
    """
    user = caller()
    if user is None or folder.stat().st_uid != user.pw_uid:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
        os.setegid(user.pw_gid)
        os.seteuid(user.pw_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
