"""Copies of filed photos under names that say nothing: the folder and the name of a filed photo tell its class."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from contract.formats import has_photo_name
from daemon.files.confined import TO_READ
from daemon.process.sudo import caller

_PREFIX = "photo-"
_BYTES = 1 << 20


def neutral_name(token: str, path: Path) -> str:
    """Return the name of a photo's copy, which tells nothing but the kind of file."""
    return f"{_PREFIX}{token}{path.suffix.lower() if has_photo_name(path) else ''}"


def token_in(name: str) -> str:
    """Return the token in the name of a copy; empty if there is none."""
    stem = Path(name).stem
    return stem.removeprefix(_PREFIX).lower() if stem.startswith(_PREFIX) else ""


def is_at_hand(paths: Iterable[Path], sha256: str) -> bool:
    """Tell whether a photo lies unedited at one of these paths."""
    return any(_hash(path) == sha256 for path in paths)


def copy_to(folder: Path, token: str, paths: Iterable[Path], sha256: str) -> Path | None:
    """Copy a photo into a folder under its neutral name, so that no program changes the photo itself.

    Args:
        folder: of the copy.
        token: of the photo.
        paths: where it may lie.
        sha256: of its content.

    Returns:
        The copy; None if the photo lies at none of the paths, or was edited.

    Raises:
        OSError: the copy cannot be written.
    """
    for path in paths:
        copy = folder / neutral_name(token, path)
        if _copied(path, copy) == sha256:
            hand_over(copy)
            return copy
        copy.unlink(missing_ok=True)
    return None


def hand_over(path: Path) -> None:
    """Give a file to the user who called sudo: root's files could not be opened by that user's programs."""
    if user := caller():
        os.chown(path, user.pw_uid, user.pw_gid)


def _copied(path: Path, copy: Path) -> str:
    """Copy a file; returns the hash of what was copied, or an empty text if the file cannot be read."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
        try:
            for piece in _pieces(path):
                digest.update(piece)
                target.write(piece)
        except _UnreadableError:
            return ""
    return digest.hexdigest()


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with suppress(_UnreadableError):
        for piece in _pieces(path):
            digest.update(piece)
        return digest.hexdigest()
    return ""


class _UnreadableError(Exception):
    """A photo cannot be read."""


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        file = os.fdopen(os.open(os.path.realpath(path), TO_READ), "rb")
    except OSError as error:
        raise _UnreadableError from error
    with file:
        while True:
            try:
                piece = file.read(_BYTES)
            except OSError as error:
                raise _UnreadableError from error
            if not piece:
                return
            yield piece
