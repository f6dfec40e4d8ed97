"""Move one file to a free name in another folder: whole, without overwriting, and never in two places.

Within one file system the move is one rename. Between two file systems the steps are:

1. copy to a hidden name beside the destination, sync, compare,
2. publish the copy under the free name by a hard link, sync,
3. check that the source has not changed, and remove it.

The hidden name is removed when the outcome is in the ledger. Until then it proves that the file beside it is our copy,
and not the same photo filed by another program.
"""

import errno
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from common.publish import sync_directory
from daemon.copying.copy_file import SourceChangedError, copy_file
from daemon.copying.extents import same_content
from daemon.copying.losses import Loss
from daemon.files.identity import Identity, is_on_share, is_same_file, look_at, look_fresh, sha256_of
from daemon.files.names import free_name, hidden_name, shortened
from daemon.files.open_writers import OpenWriterError, refuse_if_held
from daemon.files.rename import publish, rename_noreplace, rename_to_ours, still_there
from daemon.files.sync import sync_file, sync_folder
from daemon.ledger.leaving import LeavingOriginal, hidden_original, leaving_original

__all__ = [
    "TRIES_OF_A_NAME", "MoveResult", "SourceChangedError", "former_temporary_beside", "move", "publish_copy",
    "sync_file", "sync_folder", "temporary_beside",
]  # fmt: skip


class MoveResult(NamedTuple):
    """Result of a move.

    Attributes:
        lost: what the other file system cannot keep.
        hidden: second name of a copy, to be removed once the outcome is in the ledger.
        leaving: what to remember of the original, if it waits under a hidden name.
    """

    lost: tuple[Loss, ...] = ()
    hidden: Path | None = None
    leaving: LeavingOriginal | None = None


TRIES_OF_A_NAME = 5
"""How often a name may turn out taken after a look found it free: on some servers this never ends."""


def move(
    source: Path,
    identity: Identity,
    sha256: str,
    target: Path,
    *,
    known_as: Path | None = None,
    may_wait: bool = False,
) -> MoveResult:
    """Move the file that `identity` names, and no other, to `target`, which must be free.

    Args:
        source: path of the file; may lead through an open folder (`open_folder`).
        identity: of the file.
        sha256: of its content; empty if the content was never read.
        target: the new path.
        known_as: the source's path in the ledger, if it differs from `source`.
        may_wait: keep the original of a copy under a hidden name for a minute if a program may still write to it.

    Returns:
        What was lost, and which hidden names remain.

    Raises:
        FileExistsError: the name was taken meanwhile; nothing was moved.
        SourceChangedError: the file changed, or another file lies at `source`; nothing was moved.
        OpenWriterError: a program holds the file open for writing; nothing was moved.
        OSError: the move failed; the source is untouched.
    """
    refuse_if_held(source)
    if look_at(source) != identity:
        raise SourceChangedError
    try:
        rename_noreplace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return _move_across(source, identity, sha256, target, known_as or source, may_wait=may_wait)
    found = look_at(target)
    if found is None:
        return MoveResult()  # filed; another program has already taken it from there
    if not is_same_file(target, found, identity, sha256):  # replaced or written to since the look
        _put_back(target, source)
        raise SourceChangedError
    return MoveResult()


def _put_back(target: Path, source: Path) -> None:
    tried: set[Path] = set()
    while len(tried) < TRIES_OF_A_NAME:
        home = free_name(source.parent, source.name, tried.__contains__)
        try:
            rename_noreplace(target, home)
        except FileExistsError:
            tried.add(home)  # taken meanwhile: try the next free name
        else:
            return
    raise OSError(errno.EBUSY, "it changed, and no free name was found to put it back", str(target))


def temporary_beside(target: Path, source: Path, identity: Identity) -> Path:
    """Name of the hidden copy from which a file is published across file systems.

    Each file has its own, because daemons of several inboxes may share an output. The name is the same after a crash.
    """
    return target.with_name(hidden_name(os.fsencode(source), repr(identity)))


def former_temporary_beside(target: Path, source: Path, identity: Identity) -> Path:
    """Name of the hidden copy in earlier versions: their intents may still be open."""
    token = hashlib.sha256(os.fsencode(source) + repr(identity).encode()).hexdigest()[:16]
    return target.with_name(shortened("." + target.name, f".{token}.phototriage-part"))


def _move_across(
    source: Path, identity: Identity, sha256: str, target: Path, known_as: Path, *, may_wait: bool
) -> MoveResult:
    result = publish_copy(source, identity, sha256, target, known_as=known_as)
    try:
        sync_directory(target.parent)
        sure = refuse_if_held(source)  # a program that opened it since would write into a removed file
        if look_fresh(source) != identity:
            raise SourceChangedError  # our copy is of an older state; the source is newer
        if may_wait and (not sure or is_on_share(source.parent)):
            return result._replace(leaving=leaving_original(_hide(source, identity, sha256, known_as), target))
        source.unlink()
    except (SourceChangedError, OpenWriterError):
        _withdraw(target, result.hidden)
        raise
    except OSError as error:
        if still_there(source, error):  # otherwise each retry would leave one more copy
            _withdraw(target, result.hidden)
        raise
    return result


def _hide(source: Path, identity: Identity, sha256: str, known_as: Path) -> Path:
    hidden = hidden_original(source, identity, known_as)
    rename_to_ours(source, hidden)
    if not is_same_file(hidden, look_at(hidden), identity, sha256):
        _put_back(hidden, source)
        raise SourceChangedError
    return hidden


def _withdraw(target: Path, hidden: Path | None) -> None:
    target.unlink()
    if hidden is not None:  # last: a kill between the two must not leave a copy without proof that it is ours
        hidden.unlink()


def publish_copy(
    source: Path, identity: Identity, sha256: str, target: Path, *, known_as: Path | None = None
) -> MoveResult:
    """Copy the file that `identity` names, and no other, with its owner, mode, times and attributes.

    The data of the copy is durable, but not its name: the caller syncs the folder. Arguments and result are as in
    `move`.

    Raises:
        FileExistsError: the name was taken meanwhile; there is no copy.
        SourceChangedError: the file changed, or another file lies at `source`; there is no copy.
        OSError: copying failed; there is no copy, unless a share published it and its reply was lost.
    """
    temporary = temporary_beside(target, known_as or source, identity)
    try:
        lost = copy_file(source, identity, temporary)
        # A companion has no hash, so its copy is compared with the original.
        if not (sha256_of(temporary) == sha256 if sha256 else same_content(source, temporary)):
            raise SourceChangedError
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return MoveResult(lost, _published(temporary, target))


def _published(hidden: Path, target: Path) -> Path | None:
    try:
        return hidden if publish(hidden, target) else None
    except OSError as error:
        # On a share any error but "it exists" may hide a success. Keep the hidden name: it proves whose file it is.
        if isinstance(error, FileExistsError) or not os.path.lexists(target):
            hidden.unlink(missing_ok=True)
        raise
