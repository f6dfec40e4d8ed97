"""Root by sudo: who called it; and work as that user or as a ledger's owner, so that nothing there becomes root's."""

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
    with _as_user(user.pw_uid, user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)):
        yield


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Work in the block as the owner of a state folder, if this is root.

    Args:
        folder: with the ledger.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups = [owner.st_gid]
    with suppress(KeyError):  # an owner without an entry, as in containers
        groups += os.getgrouplist(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    with _as_user(owner.st_uid, owner.st_gid, groups):
        yield


@contextmanager
def _as_user(uid: int, gid: int, groups: list[int]) -> Iterator[None]:
    before, group = os.getgroups(), os.getegid()
    try:
        os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(before)
