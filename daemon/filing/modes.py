"""The filing modes: move a photo, or make a copy or link that leaves the original in the inbox."""

import errno
import os
import uuid
from contextlib import ExitStack
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.files.confined import open_folder
from daemon.files.identity import Identity, look_at
from daemon.files.marker import MARKER
from daemon.files.open_writers import refuse_if_held
from daemon.filing.move import MoveResult, SourceChangedError, move, publish_copy
from daemon.photo import Mode

_LINKS = (Mode.HARDLINK, Mode.SYMLINK)
_DONE = {Mode.MOVE: "moved", Mode.COPY: "copied", Mode.HARDLINK: "linked", Mode.SYMLINK: "linked"}
_NEVER = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of the kernel where a kind of link is not possible at all."""


class ModeError(PhototriageError):
    """Photos cannot be filed in the requested mode."""


def check_mode(mode: Mode, inbox: Path, output: Path) -> None:
    """Try a link mode: make a link to the inbox's marker in the output, and remove it.

    An output that cannot be written now is accepted: filing reports it, and waits.

    Raises:
        ModeError: links of this kind are not possible between the two folders.
    """
    if mode not in _LINKS:
        return
    probe = output / f"{MARKER}.{uuid.uuid4().hex}.part"
    try:
        _make_link(mode, inbox / MARKER, probe)
    except OSError as error:
        if error.errno in _NEVER:
            raise ModeError(
                f"--mode {mode} cannot be used from {printable(inbox)} to {printable(output)}: {_cause(mode, error)}. "
                f"Pass --mode {_instead(mode, error)}."
            ) from error
    else:
        probe.unlink(missing_ok=True)


def transfer(
    mode: Mode, source: Path, identity: Identity, sha256: str, target: Path, relpath: Path = Path()
) -> MoveResult:
    """File the photo that `identity` names, and no other, as `target`, which must be free.

    Args:
        mode: move, copy or link.
        source: path of the photo in the inbox.
        identity: of the file.
        sha256: of its content; empty if the content was never read.
        target: the destination.
        relpath: the folder of `source` below the inbox; no link on the way to it is followed.

    Returns:
        What was lost, and which hidden names remain.

    Raises:
        FileExistsError: the name was taken meanwhile; nothing was done.
        SourceChangedError: the photo changed, or another file lies at `source`; nothing was done.
        OpenWriterError: a program holds the photo open for writing; nothing was done.
        OSError: it failed; the source is untouched.
    """
    if not relpath.parts:
        return _transfer(mode, source, source, identity, sha256, target)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(open_folder(source.parents[len(relpath.parts)], relpath))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceChangedError from error
        return _transfer(mode, folder / source.name, source, identity, sha256, target)


def _transfer(mode: Mode, source: Path, known_as: Path, identity: Identity, sha256: str, target: Path) -> MoveResult:
    if mode is Mode.MOVE:
        return move(source, identity, sha256, target, known_as=known_as, may_wait=True)
    refuse_if_held(source)
    if look_at(source) != identity:
        raise SourceChangedError
    if mode is Mode.COPY:
        return publish_copy(source, identity, sha256, target, known_as=known_as)
    _make_link(mode, source if mode is Mode.HARDLINK else known_as, target)
    if look_at(source) != identity:  # replaced between the look and the link
        target.unlink()
        raise SourceChangedError
    return MoveResult()


def why_not(mode: Mode, target: Path, error: OSError) -> str:
    """Return why a photo could not be filed, as the rest of a sentence.

    Args:
        mode: move, copy or link.
        target: the destination.
        error: of the kernel.
    """
    hint = f"; --mode {_instead(mode, error)} would work" if mode in _LINKS and error.errno in _NEVER else ""
    return f"it cannot be {_DONE[mode]} to {printable(target)} ({_cause(mode, error)}){hint}"


def _make_link(mode: Mode, source: Path, target: Path) -> None:
    if mode is Mode.HARDLINK:
        os.link(source, target, follow_symlinks=False)
    else:
        target.symlink_to(source)


def _cause(mode: Mode, error: OSError) -> str:
    if mode in _LINKS and error.errno == errno.EXDEV:
        return "a hard link and its original must lie on one file system"
    if mode in _LINKS and error.errno == errno.EPERM:
        return "the file system has no such links, or the kernel forbids links to files of other users"
    return str(error.strerror)


def _instead(mode: Mode, error: OSError) -> str:
    return "symlink or copy" if mode is Mode.HARDLINK and error.errno == errno.EXDEV else "copy"
