"""`phototriage model use` and `rollback`, from the side of who asks: a daemon at work decides, else the command does.

The lock of the state folder says who may: the daemon holds it while it runs. So whatever is killed in the middle, the
model that serves is the one before or the new one, and never a half.
"""

import os
import signal
import socket
import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from contract.session import Model, naming, open_model, read_model
from daemon.ledger.ledger import migrate
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import roots_of
from daemon.ledger.state_folder import LEDGER, lock_state
from daemon.models.history import Entry, ModelEvent, answer, note, serving
from daemon.models.store import ChangeRequest, ModelStore, ModelStoreError, StoredModel
from daemon.models.trial import try_apart
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER
from daemon.roots import RootError, check_folders
from daemon.status.unix_socket import connect

ANSWER_S = 60.0
"""How long a daemon is waited for: it looks every five seconds when it cannot be woken, and a GPU takes a while."""
ASK_S = 0.05
_CREDENTIALS = struct.Struct("3i")


class RefusedError(PhototriageError):
    """The daemon did not take the model, and why."""


@dataclass(frozen=True, slots=True)
class _Now:
    """What the ledger says: the model that served last, and the two roots."""

    last: Entry | None
    inbox: Path | None
    output: Path | None


def use(file: Path, state: Path) -> Entry:
    """Put a model in place for the inbox whose state folder this is; returns what became of it.

    Raises:
        PhototriageError: the model is none, may not serve here, or the daemon refused it; nothing was changed.
    """
    data = read_model(file)
    try_apart(file)
    with naming(file):
        model = open_model(data, "cpu")
    now = _now(state)
    if now.inbox is not None and now.output is not None:
        folders = (*model.contract.labels, FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
        check_folders(now.inbox, now.output, folders)
    with _as_owner(state):
        kept = ModelStore(state, None).put(file.name, data, model.sha256)
        done = _decide(state, now, kept, model)
    return done if isinstance(done, Entry) else _asked(state, done)


def roll_back(state: Path) -> Entry:
    """Go back to the model before the last one that was put in place; returns what became of it.

    Raises:
        PhototriageError: there is none, or the daemon refused it; nothing was changed.
    """
    now = _now(state)
    over = now.last.over if now.last else None
    target, _ = ModelStore(state, over).target(ChangeRequest("", None))
    model = open_model(target, "cpu")
    with _as_owner(state):
        done = _decide(state, now, None, model)
    return done if isinstance(done, Entry) else _asked(state, done)


def _now(state: Path) -> _Now:
    return _Now(ask_ledger(state / LEDGER, serving), *roots_of(state / LEDGER))


def _decide(state: Path, now: _Now, kept: StoredModel | None, model: Model) -> Entry | ChangeRequest:
    """Change what serves if nobody is at work; else leave a wish for who is."""
    over = now.last.over if now.last else None
    try:
        with lock_state(state, patience_s=0.0):
            store, wish = ModelStore(state, over), ChangeRequest("", kept)
            target, _ = store.target(wish)
            store.forget_wishes()
            store.grant(wish)
            before = now.last.file if now.last else Path()
            entry = Entry(
                time.time(), target, ModelEvent.PLACED, model.sha256, model.contract.labels, "", before, over or ""
            )
            _remember(state / LEDGER, entry)
            return entry
    except RootError:  # a daemon is at work
        return ModelStore(state, over).wish(kept)


def _remember(ledger: Path, entry: Entry) -> None:
    connection = sqlite3.connect(ledger, isolation_level=None)
    try:
        migrate(connection, ledger)  # a daemon of an older version may have left it
    finally:
        connection.close()
    note(ledger, entry)


def _asked(state: Path, wish: ChangeRequest) -> Entry:
    """Wake the daemon and wait for its answer."""
    _wake(state)
    end_s = time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        found = ask_ledger(state / LEDGER, lambda connection: answer(connection, wish.id))
        if found is not None and found.what is ModelEvent.REFUSED:
            raise RefusedError(f"{found.sentence().rstrip('.')}.")
        if found is not None:
            return found
        time.sleep(ASK_S)
    raise RefusedError(
        f"The daemon did not answer within {ANSWER_S:.0f} s. It stays asked: `phototriage status` says how it is, "
        "`phototriage model list` what becomes of the model."
    )


def _wake(state: Path) -> None:
    """Send SIGHUP to the process behind the socket, where that may be done; else it looks by itself soon."""
    with suppress(OSError), connect(state, 1.0) as caller:
        told = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid = _CREDENTIALS.unpack(told)[0]
        if pid > 0:  # as this process sees it: in a container of its own it has none
            os.kill(pid, signal.SIGHUP)


@contextmanager
def _as_owner(state: Path) -> Iterator[None]:
    """Work as the owner of a state folder if this is root: what is made there must be the service's to change.

    Raises:
        ShelfError: the folder cannot be written.
    """
    owner = state.stat()
    ours = os.geteuid(), os.getegid()
    if ours[0] == 0:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    try:
        yield
    except (PermissionError, sqlite3.OperationalError) as error:
        raise ModelStoreError(
            f"This user may not write to {printable(state)}, which belongs to {_name(owner.st_uid)}. Run the command "
            f"as that user: sudo -u {_name(owner.st_uid)} phototriage model ..."
        ) from error
    finally:
        os.seteuid(ours[0])
        os.setegid(ours[1])


def _name(uid: int) -> str:
    import pwd

    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"the user {uid}"
