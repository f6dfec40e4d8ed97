"""Withdraw a copy on another file system while the original is there and a program may still write to it.

A kill between the copy and the removal of the original leaves both. If the kernel cannot tell whether a program still
writes to the original, the copy may be incomplete, so the copy is removed.
"""

from contextlib import suppress
from pathlib import Path

from daemon.files.confined import open_folder
from daemon.files.identity import is_on_share
from daemon.files.names import free_name
from daemon.files.open_writers import is_open_now
from daemon.files.rename import is_one_file, rename_noreplace
from daemon.files.sync import sync_folder
from daemon.ledger.intent import Intent
from daemon.photo import Mode


def may_still_grow(intent: Intent) -> bool:
    """Tell whether a program may still write to an original that was copied: its data would be lost.

    Raises:
        OSError: the server says that the original is not there, or it cannot be opened.
    """
    if intent.mode is not Mode.MOVE or is_one_file(intent.source, intent.destination):
        return False
    held: bool | None = None
    with suppress(PermissionError):
        held = is_open_now(intent.source)  # on a share this also asks the server whether the original is there
    if is_on_share(intent.source.parent):
        held = None
    return held is True if intent.undoes is not None else held is not False


def withdraw_copy(intent: Intent, original: Path, hidden: Path, *, published: bool) -> None:
    """Remove the copy and give the original its own name again; the photo is filed again once it has settled.

    Args:
        intent: the interrupted one.
        original: path of the original: its own name, or the hidden name of originals that wait.
        hidden: the hidden name of the copy.
        published: whether the copy was published.

    Raises:
        OSError: it is not possible now; the next try continues.
    """
    if published:
        intent.destination.unlink()
    hidden.unlink(missing_ok=True)
    if published:
        sync_folder(intent.destination.parent)
    if original != intent.source:
        with open_folder(Path("/"), original.parent.relative_to("/")) as folder:
            rename_noreplace(folder / original.name, free_name(folder, intent.source.name))
            sync_folder(folder)
