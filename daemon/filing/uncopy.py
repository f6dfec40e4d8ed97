"""Take back what was copied to another file system, while the original is there and its writer may go on with it.

A kill between the copy and the going of its original leaves both. Where nobody can tell whether a program still writes
to the original, the copy may be a part, and it is the copy that goes.
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


def may_go_on(intent: Intent) -> bool:
    """Tell whether a writer may go on with an original that was copied: what it writes would be lost.

    Raises:
        OSError: the original is not there by its server's word, or cannot be opened.
    """
    if intent.mode is not Mode.MOVE or is_one_file(intent.source, intent.destination):
        return False
    held: bool | None = None
    with suppress(PermissionError):
        held = is_open_now(intent.source)  # on a share this also asks the server whether it is there
    if is_on_share(intent.source.parent):
        held = None
    return held is True if intent.undoes is not None else held is not False


def take_back(intent: Intent, original: Path, hidden: Path, *, published: bool) -> None:
    """Let the original be all that there is of a photo, under its own name; it is filed again once it has settled.

    Args:
        intent: that was cut off.
        original: where it lies: under its own name, or the hidden one of originals that wait.
        hidden: the hidden name of its copy.
        published: whether the copy was published.

    Raises:
        OSError: it cannot be done now; the next try goes on.
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
