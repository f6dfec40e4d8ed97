"""The two folders, made sure of before anything moves: the inbox with its lock, and the output.

Both carry a marker file. The inbox's is also the lock: one process per inbox. A root whose recorded marker is missing,
on a mount point where nothing is mounted now, is a missing mount, and not a folder to file into.
"""

import fcntl
import json
import os
import uuid
from hashlib import sha256
from pathlib import Path
from typing import IO

from contract.errors import PhototriageError
from contract.publish import sync_directory
from contract.text import printable
from daemon.ledger import Ledger
from daemon.scan import MARKER


class RootError(PhototriageError):
    """The inbox or the output cannot serve."""


class MountMissingError(RootError):
    """A root lies on a mount that is away."""


def check_roots(inbox: Path, output: Path) -> tuple[Path, Path]:
    """Return both as absolute paths without links, or refuse them: what came, why, and what to do.

    The output is made when only its last folder is missing.
    """
    inbox, output = inbox.resolve(), output.resolve()
    if not inbox.is_dir():
        what = "is no folder" if inbox.exists() else "does not exist"
        raise RootError(f"The inbox {printable(inbox)} {what}. Make it first: mkdir {printable(inbox)}")
    if inbox == inbox.parent or inbox == Path.home().resolve():
        raise RootError(f"{printable(inbox)} is no inbox: everything in it would be sorted. Pass a folder of its own.")
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise RootError(f"The output {printable(output)} cannot be made ({error.strerror}).") from error
    if inbox.samefile(output):
        raise RootError(f"Inbox and output are the same folder, {printable(inbox)}. Pass two different ones.")
    if output in inbox.parents and inbox.parent == output and inbox.name.startswith("_"):
        raise RootError(f"The inbox {printable(inbox)} is one of the output's own folders. Pass another.")
    return inbox, output


def state_folder(inbox: Path) -> Path:
    """Where the ledger of an inbox lies: systemd's state directory, or the user's, by name and path of the inbox."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    digest = sha256(os.fsencode(inbox)).hexdigest()[:10]
    name = "".join(character if character.isalnum() else "-" for character in printable(inbox.name))[:40]
    return Path(home) / "phototriage" / f"{name}-{digest}"


class InboxLock:
    """Holds the inbox's marker locked until closed.

    Raises:
        RootError: another process has it, or the inbox cannot be written.
    """

    def __init__(self, inbox: Path) -> None:
        self.marker = _mark(inbox, "inbox")
        self._file: IO[bytes] = (inbox / MARKER).open("rb")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise RootError(
                f"Another phototriage is at work on {printable(inbox)}. Stop that one first, or leave it to it."
            ) from error

    def close(self) -> None:
        """Let go of the inbox."""
        self._file.close()


def adopt_roots(ledger: Ledger, inbox: Path, output: Path) -> None:
    """Hold both roots against what the ledger remembers of them, and remember them.

    Raises:
        MountMissingError: one of them is an empty mount point today.
        RootError: one of them cannot be written.
    """
    for role, path in (("inbox", inbox), ("output", output)):
        known = ledger.root(role)
        if known is not None and not (path / MARKER).exists() and not os.path.ismount(known[1]):
            raise MountMissingError(
                f"The {role} {printable(path)} has lost its marker, and nothing is mounted at {printable(known[1])}. "
                "Mount it; nothing is filed before."
            )
    for role, path in (("inbox", inbox), ("output", output)):
        ledger.record_root(role, path, _mark(path, role), _mount_point(path))


def _mark(root: Path, role: str) -> str:
    """Return the id in a root's marker file, making the file if need be."""
    marker = root / MARKER
    try:
        if not marker.exists():
            with marker.open("x", encoding="utf-8") as file:
                json.dump({"id": uuid.uuid4().hex, "what": "phototriage knows this folder by this file"}, file)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(root)
        return str(json.loads(marker.read_text(encoding="utf-8"))["id"])
    except OSError as error:
        raise RootError(
            f"The {role} {printable(root)} cannot be written ({error.strerror}), so nothing can be moved. "
            "Give this user write permission to it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RootError(f"{printable(marker)} is not a marker of phototriage. Move it away and start again.") from error


def _mount_point(path: Path) -> Path:
    while not os.path.ismount(path):
        path = path.parent
    return path
