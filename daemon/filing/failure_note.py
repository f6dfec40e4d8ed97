"""The note beside a failed photo that says why: `NAME.why.txt`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contract.text import printable
from daemon.files.limits import most_bytes
from daemon.files.names import candidates, hidden_name, shortened
from daemon.files.rename import rename_noreplace
from daemon.filing.move import TRIES_OF_A_NAME

ENDING = ".why.txt"
"""No companion of a photo ends so."""


def write_failure_note(target: Path, name: str, reason: str) -> Path:
    """Put the reason beside a failed photo, whole or not at all, unless it stands there; returns where it stands.

    Args:
        target: where the photo lies.
        name: that it had in the inbox.
        reason: the sentence.

    Raises:
        OSError: it could not be written.
    """
    text = _text(name, reason)
    temporary = target.with_name(hidden_name(os.fsencode(target), text))  # a crash does not change it
    tries = 0
    for note in _notes(target):
        if _holds(note, text):
            return note
        if os.path.lexists(note):
            continue  # somebody else's
        try:
            _write(temporary, text)
            rename_noreplace(temporary, note)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            tries += 1
            if isinstance(error, FileExistsError) and tries < TRIES_OF_A_NAME:
                continue
            raise
        return note
    raise AssertionError("the candidates never end")


def try_to_write_failure_note(target: Path, name: str, reason: str) -> str:
    """Put the reason beside a failed photo, and return what is to be added to it where that cannot be done.

    That the reason stands in the ledger too makes a failure here bearable.
    """
    try:
        write_failure_note(target, name, reason)
    except OSError as error:
        return f" (and no note could be written: {error.strerror})"
    return ""


def remove_failure_note(target: Path, name: str, reason: str) -> None:
    """Take away the note of a photo that is no longer failed; one that was changed is its reader's, and stays.

    Args:
        target: where the photo lay.
        name: that it had in the inbox.
        reason: that of its failure, as in the ledger.

    Raises:
        OSError: it could not be removed.
    """
    text = _text(name, reason)
    for note in _notes(target):
        if _holds(note, text):
            note.unlink()
            return
        if not os.path.lexists(note):
            return


def _notes(target: Path) -> Iterator[Path]:
    """Yield the names that a photo's note may have."""
    most = most_bytes(target.parent)
    return map(target.with_name, candidates(shortened(target.name, ENDING, most), most))


def _text(name: str, reason: str) -> bytes:
    return f"{printable(name)} could not be filed under a class.\n{reason}\n".encode()


def _holds(note: Path, text: bytes) -> bool:
    with suppress(OSError):
        return note.lstat().st_size == len(text) and note.read_bytes() == text
    return False


def _write(path: Path, text: bytes) -> None:
    path.unlink(missing_ok=True)  # the rest of a note that was interrupted, or a trap: its name can be known before
    with path.open("xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
