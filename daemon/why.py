"""The note beside a failed photo that says why: `NAME.why.txt`."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from contract.text import printable
from daemon.filing import candidates, shortened
from daemon.rename import rename_noreplace

ENDING = ".why.txt"
"""No companion of a photo ends so."""


def write_why(target: Path, name: str, reason: str) -> Path:
    """Put the reason beside a failed photo, whole or not at all, unless it stands there; returns where it stands.

    Args:
        target: where the photo lies.
        name: that it had in the inbox.
        reason: the sentence.

    Raises:
        OSError: it could not be written.
    """
    text = _text(name, reason)
    token = hashlib.sha256(os.fsencode(target) + text).hexdigest()[:16]  # a crash does not change it
    temporary = target.with_name(shortened("." + target.name, f".{token}.phototriage-part"))
    for candidate in candidates(shortened(target.name, ENDING)):
        note = target.with_name(candidate)
        if _holds(note, text):
            return note
        if os.path.lexists(note):
            continue  # somebody else's
        try:
            _write(temporary, text)
            rename_noreplace(temporary, note)
        except FileExistsError:
            continue
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return note
    raise AssertionError("the candidates never end")


def remove_why(target: Path, name: str, reason: str) -> None:
    """Take away the note of a photo that is no longer failed; one that was changed is its reader's, and stays.

    Args:
        target: where the photo lay.
        name: that it had in the inbox.
        reason: that of its failure, as in the ledger.

    Raises:
        OSError: it could not be removed.
    """
    text = _text(name, reason)
    for candidate in candidates(shortened(target.name, ENDING)):
        note = target.with_name(candidate)
        if _holds(note, text):
            note.unlink()
            return
        if not os.path.lexists(note):
            return


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
