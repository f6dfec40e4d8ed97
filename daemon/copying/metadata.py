"""Metadata of a copy: owner, access rights, extended attributes and times, taken from the original.

At the beginning the copy's data is complete, its mode is 0600, and it belongs to this process. The owner is set first,
because access depends on it, then the attributes, then the mode, and last the times, because every other step changes
them. If the target or the rights of this process do not allow a step, that is a loss and not an error: the photo is
filed anyway. The copy is never more readable than its original: if the group cannot be kept, the new group gets no more
than everybody has. Setuid, setgid and sticky bits are left out: no photo needs them.
"""

import errno
import os
import struct
from collections.abc import Callable, Iterator

from common.text import printable
from daemon.copying.losses import Loss
from daemon.copying.space import free_bytes
from daemon.files.identity import SAME_TIME_NS

_SICK = (
    errno.EIO, errno.ENOMEM, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV, errno.EBADF,
)  # fmt: skip
"""Errors of a file system in trouble; other errors mean that it cannot keep the value."""
_ACCESS_LIST = "system.posix_acl_access"
_ENTRY = struct.Struct("<HHI")
_GROUP, _MASK, _OTHER = 0x04, 0x10, 0x20
_LARGEST_ATTRIBUTE = 1 << 16
_NAMED = 3
"""How many lost attributes a message names."""


def carry_over(source: int, copy: int, was: os.stat_result) -> tuple[Loss, ...]:
    """Give a copy the metadata of its original, as far as possible.

    Args:
        source: the original, open for reading.
        copy: the copy, open for writing.
        was: `fstat` of the original.

    Returns:
        What could not be kept.

    Raises:
        OSError: the file system is in trouble.
    """
    losses = [*_carry_owner(copy, was), *_carry_attributes(source, copy)]
    losses += [*_carry_access(source, copy, was), *_carry_times(copy, was)]
    return tuple(losses)


def _carry_owner(copy: int, was: os.stat_result) -> Iterator[Loss]:
    wanted = (was.st_uid, was.st_gid)
    if _owner(copy) != wanted and not _done(os.fchown, copy, *wanted):
        _done(os.fchown, copy, -1, was.st_gid)  # a member of the group may do this
        _done(os.fchown, copy, was.st_uid, -1)
    has = _owner(copy)  # some file systems report success and do nothing
    if has != wanted:
        why = "" if os.geteuid() == 0 else ", because only root can give files away"
        what = f"it belongs to user {has[0]}, group {has[1]}, and not to user {wanted[0]}, group {wanted[1]}{why}"
        yield Loss("owner", what)


def _owner(copy: int) -> tuple[int, int]:
    status = os.fstat(copy)
    return status.st_uid, status.st_gid


def _carry_attributes(source: int, copy: int) -> Iterator[Loss]:
    """Copy the extended attributes: those of the user, and those of security that can be set."""
    lost = []
    for name in _attributes(source):
        # Skip those that do not belong to the user: capabilities make a file a program, and a file system shows its own
        # rights as `system.`; the access list is copied with the mode.
        if name == "security.capability" or name.startswith("system."):
            continue
        if not _carry_attribute(source, copy, name) and not name.startswith("security."):
            lost.append(name)
    if lost:
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        yield Loss("attributes", f"it has lost {', '.join(map(printable, lost[:_NAMED]))}{more} (extended attributes)")


def _attributes(source: int) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError as error:
        if error.errno in _SICK:
            raise
        # A file system without attributes is no loss; a list that is too long for the kernel is one.
        return ["all that it had"] if error.errno in (errno.E2BIG, errno.ERANGE) else []


def _carry_attribute(source: int, copy: int, name: str) -> bool:
    try:
        value = os.getxattr(source, name)
    except OSError as error:
        if error.errno in _SICK:
            raise
        return error.errno == errno.ENODATA  # removed meanwhile
    try:
        os.setxattr(copy, name, value)
    except OSError as error:
        # ext4 has one block for all attributes of a file, and answers "no space left" when that block is full.
        if error.errno in _SICK or (error.errno == errno.ENOSPC and _is_full(copy)):
            raise
        return False
    return True


def _is_full(copy: int) -> bool:
    return (free_bytes(copy) or 0) < 2 * _LARGEST_ATTRIBUTE


def _carry_access(source: int, copy: int, was: os.stat_result) -> Iterator[Loss]:
    """Give the copy the mode and the access list, or less if they cannot be kept."""
    mode, same_group = was.st_mode & 0o777, _owner(copy)[1] == was.st_gid
    if _owner(copy)[0] != was.st_uid:
        mode |= 0o400  # this process could read the original, and must read the copy to compare it
    acl = _access_list(source)
    if acl is not None and not same_group:
        acl = _narrowed_list(acl)
    kept = acl is not None and _done(os.setxattr, copy, _ACCESS_LIST, acl)
    if acl is not None and not kept:
        yield Loss("access list", "it has lost its access control list")
        # Beside a list, the group bits of the mode are only the upper limit of its entries, not the group's rights.
        mode = mode & 0o707 | _group_of(acl) << 3
    if not kept and _access_list(copy) is not None:  # the folder's default list: a moved file would not get it
        _done(os.removexattr, copy, _ACCESS_LIST)
    if not kept and (not same_group or _access_list(copy) is not None):
        mode &= 0o707 | (mode & 0o007) << 3
    if _mode(copy) != mode:
        _done(os.fchmod, copy, mode)
    has = _mode(copy)
    if has != mode:
        risk = ", so users who could not read it before may read it now" if has & ~mode & 0o077 else ""
        yield Loss("mode", f"its mode is {has:04o} and not {mode:04o}{risk}")


def _mode(copy: int) -> int:
    return os.fstat(copy).st_mode & 0o777


def _access_list(descriptor: int) -> bytes | None:
    """Return the access control list, if there is one beyond the mode."""
    try:
        acl = os.getxattr(descriptor, _ACCESS_LIST)
    except OSError as error:
        if error.errno in _SICK:
            raise
        return None
    return acl if len(acl) % _ENTRY.size == 4 else None


def _entries(acl: bytes) -> list[tuple[int, int, int]]:
    return list(_ENTRY.iter_unpack(acl[4:]))


def _narrowed_list(acl: bytes) -> bytes:
    """Limit the owning group to the rights of everybody, because it is another group now."""
    entries = _entries(acl)
    other = next((may for tag, may, _ in entries if tag == _OTHER), 0)
    narrowed = (_ENTRY.pack(tag, may & other if tag == _GROUP else may, who) for tag, may, who in entries)
    return acl[:4] + b"".join(narrowed)


def _group_of(acl: bytes) -> int:
    """Return the rights of the owning group."""
    may = {tag: may for tag, may, _ in _entries(acl)}
    return may.get(_GROUP, 0) & may.get(_MASK, 0o7)


def _carry_times(copy: int, was: os.stat_result) -> Iterator[Loss]:
    _done(_set_times, copy, (was.st_atime_ns, was.st_mtime_ns))
    if abs(os.fstat(copy).st_mtime_ns - was.st_mtime_ns) > SAME_TIME_NS:
        yield Loss("time", "it has lost the time of its last change")


def _set_times(copy: int, times_ns: tuple[int, int]) -> None:
    os.utime(copy, ns=times_ns)


def _done(call: Callable[..., None], *arguments: object) -> bool:
    """Tell whether a call succeeded; raise only the errors of a file system in trouble."""
    try:
        call(*arguments)
    except OSError as error:
        if error.errno in _SICK:
            raise
        return False
    return True
