"""Put one file under a name of its own in another folder, whole, without overwriting, and never in two places.

On one file system that is one rename. Between two it is: copy to a hidden name beside the destination, sync, compare,
publish under the free name, sync, see that the source has not changed, remove it.
"""

import errno
import hashlib
import os
import shutil
from pathlib import Path

from contract.publish import sync_directory
from daemon.names import free_name, hidden_name, shortened
from daemon.photo import Identity
from daemon.rename import rename_noreplace, still_there
from daemon.same import is_same_file, sha256_of
from daemon.scan import look_anew, look_at

TRIES_OF_A_NAME = 5
"""How often a name may be taken that a look has just called free: some servers say so for ever."""


class SourceChangedError(Exception):
    """The file is not the one that was classified; it is where it was, or back there."""


def move(source: Path, identity: Identity, sha256: str, target: Path, *, known_as: Path | None = None) -> None:
    """Move the very file that `identity` names to `target`, which must be free.

    Args:
        source: where it is; a path through a pinned folder will do.
        identity: of the file.
        sha256: of its content; empty if that was never read.
        target: where it shall be.
        known_as: the source's path as the ledger has it, where that is another.

    Raises:
        FileExistsError: the name was taken meanwhile; nothing was moved.
        SourceChangedError: another file stands at `source`, or it changed; nothing was moved.
        OSError: it could not be moved; the source is untouched.
    """
    if look_at(source) != identity:
        raise SourceChangedError
    try:
        rename_noreplace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, identity, sha256, target, known_as or source)
        return
    found = look_at(target)
    if found is None:
        return  # filed, and taken further at once by whoever waits for it there
    if not is_same_file(target, found, identity, sha256):  # replaced or written to since the look
        _put_back(target, source)
        raise SourceChangedError


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


def _move_across(source: Path, identity: Identity, sha256: str, target: Path, known_as: Path) -> None:
    publish_copy(source, identity, sha256, target, known_as=known_as)
    try:
        sync_directory(target.parent)
        if look_anew(source) != identity:
            raise SourceChangedError  # our copy is of an older state; what stands at the source is newer
        source.unlink()
    except SourceChangedError:
        target.unlink()
        raise
    except OSError as error:
        if still_there(source, error):  # and there alone: a copy left here would be made at each try
            target.unlink()
        raise


def publish_copy(source: Path, identity: Identity, sha256: str, target: Path, *, known_as: Path | None = None) -> None:
    """Copy the very file that `identity` names, with its mode, time and extended attributes, and leave it alone.

    The copy is durable but for its name: the caller syncs the folder. The arguments are those of `move`.

    Raises:
        FileExistsError: the name was taken meanwhile; there is no copy.
        SourceChangedError: another file stands at `source`, or it is another by now; there is no copy.
        OSError: it could not be copied; there is no copy.
    """
    temporary = temporary_beside(target, known_as or source, identity)
    try:
        _copy(source, identity, temporary)
        # What was too large to be read has no hash yet: the copy is then held against its source.
        if sha256_of(temporary) != (sha256 or sha256_of(source)):
            raise SourceChangedError
        rename_noreplace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy(source: Path, identity: Identity, temporary: Path) -> None:
    temporary.unlink(missing_ok=True)  # the rest of a copy that was interrupted
    # O_NONBLOCK: a FIFO that took the photo's place must not be waited for.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as reader:
        if Identity.of(os.fstat(descriptor)) != identity:
            raise SourceChangedError
        with temporary.open("xb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            # Of what was opened and to what was made, whatever has their names by now.
            shutil.copystat(f"/proc/self/fd/{descriptor}", f"/proc/self/fd/{writer.fileno()}")
            os.fsync(writer.fileno())


def sync_file(path: str | Path) -> None:
    """Make a file's own data durable; the file is only opened for reading. A link in its place means it was taken.

    Raises:
        OSError: it could not be, or it is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        os.sync()  # its owner lets nobody read it since it was read: then all that the disks are owed
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # as git-annex leaves one: its owner took it further, and none of ours is left
            raise
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: str | Path) -> None:
    """Make a folder's names durable, also if its owner lets nobody list it since."""
    try:
        sync_directory(path)
    except PermissionError:
        os.sync()
