"""The note beside a failed photo that says why: `NAME.why.txt`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from common.text import printable
from daemon.files.companion_names import NOTE
from daemon.files.limits import most_bytes
from daemon.files.names import candidates, hidden_name, shortened
from daemon.files.rename import rename_noreplace
from daemon.filing.move import TRIES_OF_A_NAME

ENDING = NOTE


def write_failure_note(target: Path, name: str, reason: str) -> Path:
    """Write the reason beside a failed photo, atomically, unless it is there already; returns the note's path.

    Args:
        target: path of the photo.
        name: its name in the inbox.
        reason: the sentence.

    Raises:
        OSError: the note could not be written.
    """
    text = _text(name, reason)
    temporary = target.with_name(hidden_name(os.fsencode(target), text))  # the same after a crash
    tries = 0
    for note in _notes(target):
        if _holds(note, text):
            return note
        if os.path.lexists(note):
            continue  # another file
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
    """Write the reason beside a failed photo; if that fails, return a remark to be added to the reason.

    A failure here is acceptable, because the ledger holds the reason too.
    """
    try:
        write_failure_note(target, name, reason)
    except OSError as error:
        return f" (and no note could be written: {error.strerror})"
    return ""


def remove_failure_note(target: Path, name: str, reason: str) -> None:
    """Remove the note of a photo that is no longer failed; a note that was edited stays.

    Args:
        target: former path of the photo.
        name: its name in the inbox.
        reason: of its failure, as in the ledger.

    Raises:
        OSError: the note could not be removed.
    """
    text = _text(name, reason)
    for note in _notes(target):
        if _holds(note, text):
            note.unlink()
            return
        if not os.path.lexists(note):
            return


def _notes(target: Path) -> Iterator[Path]:
    """Return the paths that a photo's note may have, in order."""
    most = most_bytes(target.parent)
    return map(target.with_name, candidates(shortened(target.name, ENDING, most), most))


def _text(name: str, reason: str) -> bytes:
    return f"{printable(name)} could not be filed under a class.\n{reason}\n".encode()


def _holds(note: Path, text: bytes) -> bool:
    with suppress(OSError):
        return note.lstat().st_size == len(text) and note.read_bytes() == text
    return False


def _write(path: Path, text: bytes) -> None:
    path.unlink(missing_ok=True)  # an interrupted note, or a planted file: the name can be predicted
    with path.open("xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
