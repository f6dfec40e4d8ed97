"""Put one file under a name of its own in another folder, whole, without overwriting, and never in two places.

On one file system that is one rename. Between two it is: copy to a hidden name beside the destination, sync, compare,
publish by a hard link under the free name, sync, see that the source has not changed, remove it. The hidden name goes
when the outcome is in the ledger: until then it is the proof that the file beside it is our copy, and not a stranger's
of the same photo.
"""

import errno
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from contract.publish import sync_directory
from daemon.copying.copy_file import SourceChangedError, copy_file
from daemon.copying.extents import same_content
from daemon.copying.losses import Loss
from daemon.files.identity import Identity, is_on_share, is_same_file, look_anew, look_at, sha256_of
from daemon.files.names import free_name, hidden_name, shortened
from daemon.files.open_writers import OpenWriterError, refuse_if_held
from daemon.files.rename import publish, rename_noreplace, rename_to_ours, still_there
from daemon.files.sync import sync_file, sync_folder
from daemon.ledger.leaving import Left, hidden_original, left_as

__all__ = [
    "TRIES_OF_A_NAME", "Placed", "SourceChangedError", "former_temporary_beside", "move", "publish_copy", "sync_file",
    "sync_folder", "temporary_beside",
]  # fmt: skip


class Placed(NamedTuple):
    """How a file got to its place.

    Attributes:
        lost: what another file system cannot keep of it.
        hidden: the name that a copy has too, to be removed once its outcome is in the ledger.
        left: what to remember of its original, if that waits under a hidden name.
    """

    lost: tuple[Loss, ...] = ()
    hidden: Path | None = None
    left: Left | None = None


TRIES_OF_A_NAME = 5
"""How often a name may be taken that a look has just called free: some servers say so for ever."""


def move(
    source: Path,
    identity: Identity,
    sha256: str,
    target: Path,
    *,
    known_as: Path | None = None,
    may_wait: bool = False,
) -> Placed:
    """Move the very file that `identity` names to `target`, which must be free.

    Args:
        source: where it is; a path through a pinned folder will do.
        identity: of the file.
        sha256: of its content; empty if that was never read.
        target: where it shall be.
        known_as: the source's path as the ledger has it, where that is another.
        may_wait: whether an original that was copied, and whose writer may not be through, waits under a hidden name.

    Returns:
        How it got there.

    Raises:
        FileExistsError: the name was taken meanwhile; nothing was moved.
        SourceChangedError: another file stands at `source`, or it changed; nothing was moved.
        OpenWriterError: a program holds it open for writing; nothing was moved.
        OSError: it could not be moved; the source is untouched.
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
        return Placed()  # filed, and taken further at once by whoever waits for it there
    if not is_same_file(target, found, identity, sha256):  # replaced or written to since the look
        _put_back(target, source)
        raise SourceChangedError
    return Placed()


def _put_back(target: Path, source: Path) -> None:
    tried: set[Path] = set()
    while len(tried) < TRIES_OF_A_NAME:
        home = free_name(source.parent, source.name, tried.__contains__)
        try:
            rename_noreplace(target, home)
        except FileExistsError:
            tried.add(home)  # somebody was faster: the next free name
        else:
            return
    raise OSError(errno.EBUSY, "it changed, and no name was free to put it back", str(target))


def temporary_beside(target: Path, source: Path, identity: Identity) -> Path:
    """Name of the hidden copy from which a file is published across file systems.

    It is this file's alone, for daemons of several inboxes may file into one output; and a crash does not change it.
    """
    return target.with_name(hidden_name(os.fsencode(source), repr(identity)))


def former_temporary_beside(target: Path, source: Path, identity: Identity) -> Path:
    """Name of the hidden copy as earlier versions made it, whose intents may still be open."""
    token = hashlib.sha256(os.fsencode(source) + repr(identity).encode()).hexdigest()[:16]
    return target.with_name(shortened("." + target.name, f".{token}.phototriage-part"))


def _move_across(
    source: Path, identity: Identity, sha256: str, target: Path, known_as: Path, *, may_wait: bool
) -> Placed:
    placed = publish_copy(source, identity, sha256, target, known_as=known_as)
    try:
        sync_directory(target.parent)
        sure = refuse_if_held(source)  # opened since: what is written from now on would go into a removed file
        if look_anew(source) != identity:
            raise SourceChangedError  # our copy is of an older state; what stands at the source is newer
        if may_wait and (not sure or is_on_share(source.parent)):
            return placed._replace(left=left_as(_hide(source, identity, sha256, known_as), target))
        source.unlink()
    except (SourceChangedError, OpenWriterError):
        _withdraw(target, placed.hidden)
        raise
    except OSError as error:
        if still_there(source, error):  # and there alone: a copy left here would be made at each try
            _withdraw(target, placed.hidden)
        raise
    return placed


def _hide(source: Path, identity: Identity, sha256: str, known_as: Path) -> Path:
    hidden = hidden_original(source, identity, known_as)
    rename_to_ours(source, hidden)
    if not is_same_file(hidden, look_at(hidden), identity, sha256):
        _put_back(hidden, source)
        raise SourceChangedError
    return hidden


def _withdraw(target: Path, hidden: Path | None) -> None:
    target.unlink()
    if hidden is not None:  # last: without it, a kill between the two would leave a copy that nobody knows as ours
        hidden.unlink()


def publish_copy(
    source: Path, identity: Identity, sha256: str, target: Path, *, known_as: Path | None = None
) -> Placed:
    """Copy the very file that `identity` names, with its owner, mode, times and attributes, and leave it alone.

    The copy is durable but for its name: the caller syncs the folder. Arguments and result are those of `move`.

    Raises:
        FileExistsError: the name was taken meanwhile; there is no copy.
        SourceChangedError: another file stands at `source`, or it is another by now; there is no copy.
        OSError: it could not be copied; there is no copy, unless a share has published it and lost its answer.
    """
    temporary = temporary_beside(target, known_as or source, identity)
    try:
        lost = copy_file(source, identity, temporary)
        # A companion has no hash: its copy is held against the original.
        if not (sha256_of(temporary) == sha256 if sha256 else same_content(source, temporary)):
            raise SourceChangedError
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Placed(lost, _published(temporary, target))


def _published(hidden: Path, target: Path) -> Path | None:
    try:
        return hidden if publish(hidden, target) else None
    except OSError as error:
        # Another error than "it exists" may hide a success: then the hidden name will tell whose file the target is.
        if isinstance(error, FileExistsError) or not os.path.lexists(target):
            hidden.unlink(missing_ok=True)
        raise
