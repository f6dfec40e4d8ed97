"""`phototriage model use` and `rollback`: a running daemon changes its model itself; else the command changes it.

The daemon's lock decides which: a daemon holds it while it runs. So a kill at any moment leaves the model
before or the new one in use, and never a part of one.
"""

import hashlib
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
from contract.memory import read_memory_bytes
from contract.session import Model, naming, open_model, read_contract, read_model
from daemon.ledger.movers import Mover, mover_lock
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import roots_of
from daemon.ledger.schema import migrate
from daemon.ledger.state_folder import LEDGER
from daemon.models.history import Entry, ModelEvent, answer, note, serving
from daemon.models.request import ChangeRequest, ModelStoreError, StoredModel
from daemon.models.store import ModelStore
from daemon.models.trial import try_apart
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER
from daemon.roots import check_folders
from daemon.status.unix_socket import connect

ANSWER_S = 60.0
"""How long the command waits for a daemon, which may look only every five seconds, and may have to warm up a GPU."""
ASK_S = 0.05
_CREDENTIALS = struct.Struct("3i")


class RefusedError(PhototriageError):
    """The daemon refused the model; the text says why."""


@dataclass(frozen=True, slots=True)
class _Now:
    """What the ledger says: the model that was in use last, and the two roots."""

    last: Entry | None
    inbox: Path | None
    output: Path | None

    def store(self, state: Path) -> ModelStore:
        """Return the models of this inbox, for what --model named last."""
        return ModelStore(state, self.last.over if self.last else None)


def use(file: Path, state: Path) -> Entry:
    """Use a model for the inbox with this state folder; returns what happened.

    Raises:
        PhototriageError: it is no model, its memory is another one's, it must not be used here, or the daemon refused
            it; nothing was changed.
    """
    data = read_model(file)
    try_apart(file)
    with naming(file):
        model = open_model(data, "cpu")
    now = _now(state)
    if now.inbox is not None and now.output is not None:
        folders = (*model.contract.labels, FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER)
        check_folders(now.inbox, now.output, folders)
    facts, learned = model.contract.memory, model.contract.learned
    memory = None if facts is None else read_memory_bytes(file, facts)
    with _as_owner(state):
        store, root = now.store(state), "" if learned is None else learned.root
        if root:
            _keep_root(store, root)
        done = _change(state, now, store.put(file.name, data, model.sha256, memory, root), model)
    return done if isinstance(done, Entry) else _answered(state, done)


def roll_back(state: Path) -> Entry:
    """Go back to the model before the last `model use`; returns what happened.

    Raises:
        PhototriageError: there is none, or the daemon refused it; nothing was changed.
    """
    now = _now(state)
    target, _ = now.store(state).target(ChangeRequest("", None))
    model = open_model(target, "cpu")
    with _as_owner(state):
        done = _change(state, now, None, model)
    return done if isinstance(done, Entry) else _answered(state, done)


def _now(state: Path) -> _Now:
    return _Now(ask_ledger(state / LEDGER, serving), *roots_of(state / LEDGER))


def _keep_root(store: ModelStore, sha256: str) -> None:
    """Copy the model that --model names into the store, with its memory, if the new one was learnt from it.

    The next model is learnt from it again, also after an update has replaced the file.
    """
    file = store.configured
    if store.holding(sha256) is not None or not file.is_file():
        return
    data = read_model(file)
    if hashlib.sha256(data).hexdigest() == sha256:
        facts = read_contract(data).memory
        store.put(file.name, data, sha256, None if facts is None else read_memory_bytes(file, facts))


def _change(state: Path, now: _Now, stored: StoredModel | None, model: Model) -> Entry | ChangeRequest:
    """Change the model if no daemon runs; else leave a request for the daemon."""
    store = now.store(state)
    with mover_lock(state, Mover.DAEMON) as free:
        if not free:  # a daemon runs
            return store.requests.ask(stored)
        request = ChangeRequest("", stored)
        target, _ = store.target(request)
        store.requests.forget()
        store.grant(request)
        entry = Entry(
            time.time(),
            target,
            ModelEvent.PLACED,
            sha256=model.sha256,
            labels=model.contract.labels,
            before=now.last.file if now.last else Path(),
            over=store.over or "",
        )
        _remember(state / LEDGER, entry)
        return entry


def _remember(ledger: Path, entry: Entry) -> None:
    connection = sqlite3.connect(ledger, isolation_level=None)
    try:
        migrate(connection, ledger)  # an older version may have written it
    finally:
        connection.close()
    note(ledger, entry)


def _answered(state: Path, request: ChangeRequest) -> Entry:
    """Wake the daemon and wait for its answer."""
    _wake(state)
    end_s = time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        found = ask_ledger(state / LEDGER, lambda connection: answer(connection, request.id))
        if found is not None and found.what is ModelEvent.REFUSED:
            raise RefusedError(f"{found.sentence().rstrip('.')}.")
        if found is not None:
            return found
        time.sleep(ASK_S)
    raise RefusedError(
        f"The daemon did not answer within {ANSWER_S:.0f} s. The request stays: `phototriage status` shows how the "
        "daemon is, and `phototriage model list` shows later whether the model is used."
    )


def _wake(state: Path) -> None:
    """Send SIGHUP to the process behind the socket if this user may; else the daemon looks by itself within seconds."""
    with suppress(OSError), connect(state, 1.0) as caller:
        told = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid = _CREDENTIALS.unpack(told)[0]
        if pid > 0:  # 0 if the daemon runs in another container, because its number has no meaning here
            os.kill(pid, signal.SIGHUP)


@contextmanager
def _as_owner(state: Path) -> Iterator[None]:
    """Write as the owner of a state folder if this is root, because the service must be able to change the files later.

    Raises:
        ModelStoreError: the folder cannot be written.
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
        if ours[0] == 0:  # a service may not even set the user that it is
            os.seteuid(ours[0])
            os.setegid(ours[1])


def _name(uid: int) -> str:
    import pwd

    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"the user {uid}"
