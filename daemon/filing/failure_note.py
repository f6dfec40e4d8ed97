"""The note beside a failed photo that says why: `NAME.why.txt`; on request also beside one in review."""

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
from daemon.ledger.intent import Intent
from daemon.photo import Outcome

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


def remove_failure_note(target: Path, name: str, reason: str) -> bool:
    """Remove the note of a photo that leaves its place; an edited one stays. Returns whether one was removed.

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
            return True
        if not os.path.lexists(note):
            break
    return False


def may_have_note(intent: Intent) -> bool:
    """Tell whether a photo was filed in such a way that a note may lie beside it."""
    return intent.becomes in (Outcome.FAILED, Outcome.REVIEW) and intent.part_of is None


def reason_in_note(intent: Intent) -> str:
    """Return the reason that a photo's note gives; in review also the classes that the photo might have."""
    if intent.becomes is not Outcome.REVIEW:
        return intent.reason
    guesses = ", ".join(f"{printable(label)} {probability:.2f}" for label, probability in (intent.top or {}).items())
    return f"{intent.reason}\nThe most probable classes: {guesses}"


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
