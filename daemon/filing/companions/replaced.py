"""Sidecars that are filed once more, because they were edited: the new one takes the place of the one filed before.

The old one gets a hidden name beside it and stays in the ledger under that name, so `undo` finds it. Two renames do
that, none of which overwrites. Killed between the two, the old one gets its name back.
"""

import os
from contextlib import suppress
from pathlib import Path

from daemon.files.identity import Identity
from daemon.files.names import free_name, hidden_name
from daemon.files.open_writers import refuse_if_held
from daemon.files.rename import is_one_file, rename_noreplace
from daemon.files.sync import sync_folder
from daemon.ledger.intent import Intent

ENDING = ".phototriage-kept"


def kept_name(filed: Path, identity: Identity, row: int) -> Path:
    """Return the hidden name of a filed sidecar that is replaced.

    Args:
        filed: where it lies.
        identity: of the file.
        row: of it in the ledger.
    """
    return filed.with_name(hidden_name(os.fsencode(filed), repr(identity), str(row), ending=ENDING))


def is_kept(path: Path) -> bool:
    """Tell whether a path is that of a replaced sidecar."""
    return path.name.endswith(ENDING)


def shows(filed: Path, source: Path) -> bool:
    """Tell whether what was filed is a link to a file of the inbox, or another name of it, and so shows its edits."""
    if filed.is_symlink():
        with suppress(OSError):
            return filed.readlink() == source
    return is_one_file(filed, source)


def set_aside(intent: Intent) -> None:
    """Give the sidecar that an intent replaces its hidden name.

    Raises:
        OpenWriterError: a program holds it open for writing.
        OSError: nothing was renamed.
    """
    assert intent.kept is not None
    refuse_if_held(intent.destination)
    rename_noreplace(intent.destination, intent.kept)


def put_back(intent: Intent) -> None:
    """Give a replaced sidecar its name again, because the new one was not filed; does nothing if it has it.

    Raises:
        OSError: it is not possible now; the next try continues.
    """
    if intent.kept is None or not os.path.lexists(intent.kept):
        return
    with suppress(FileExistsError):  # another program took the name: then it gets the next one
        rename_noreplace(intent.kept, intent.destination)
    if os.path.lexists(intent.kept):
        rename_noreplace(intent.kept, free_name(intent.destination.parent, intent.destination.name))
    sync_folder(intent.destination.parent)
