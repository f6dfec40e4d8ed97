"""Finds out how a daemon is: from the process by its socket, or from the ledger when no process answers."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.labels.looker import last_look_s
from daemon.ledger.ledger import LedgerError
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers, roots_of
from daemon.ledger.since.label_totals import LabelTotals, labels_summary
from daemon.ledger.totals import Totals, totals
from daemon.status.snapshot import LedgerStatus, StatusSnapshot
from daemon.status.snapshot_parts import State
from daemon.status.status_thread import LAST_STATUS
from daemon.status.unix_socket import SOCKET_NAME, connect

TIMEOUT_S = 3.0


def ask_all(inbox: Path | None) -> list[StatusSnapshot | LedgerStatus]:
    """Return the status of each daemon.

    Args:
        inbox: of the one daemon; None for all daemons of this user and of the services.

    Raises:
        LedgerError: there is no daemon.
    """
    return [ask_one(ledger) for ledger in find_ledgers(inbox)]


def ask_one(ledger: Path) -> StatusSnapshot | LedgerStatus:
    """Return the status of the daemon with this ledger."""
    try:
        status = fetch(ledger.parent)
        with suppress(LedgerError):  # this user may ask the process, but perhaps not read its ledger
            in_all, labels = _counted(ledger)
            status = replace(status, in_all=in_all, labels=labels)
        return status
    except TimeoutError:
        state, why = State.SILENT, f"the process did not answer within {TIMEOUT_S:.0f} s"
    except (FileNotFoundError, ConnectionRefusedError) as error:
        killed = isinstance(error, ConnectionRefusedError)
        state, why = State.DOWN, "the process was killed: its socket is left over" if killed else ""
    except (OSError, ValueError) as error:
        state, why = State.SILENT, f"{ledger.parent / SOCKET_NAME} gives no status ({error})"
    stopped = replace(from_ledger(ledger), state=state, why=why)
    last = _last_status(ledger.parent)
    if last is None:
        return stopped
    # What somebody ran by hand and ended is not missed; a service that ended is.
    ended = last.state in (State.STOPPING, State.STOPPED) and not last.supervised and state is State.DOWN and not why
    return replace(
        stopped,
        state=State.ENDED if ended else state,
        stopped_at_s=last.at_s,
        last_error=last.last_error,
        model=last.model,
        unfamiliar=last.unfamiliar,
    )


def fetch(state: Path) -> StatusSnapshot:
    """Return the status that the process gives.

    Raises:
        OSError: the socket cannot be used; TimeoutError when the process does not answer.
        ValueError: the answer is no status.
    """
    with connect(state, TIMEOUT_S) as caller:
        caller.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        parts = []
        while part := caller.recv(1 << 16):
            parts.append(part)
    return StatusSnapshot.from_json(json.loads(b"".join(parts).partition(b"\r\n\r\n")[2]))


def from_ledger(ledger: Path) -> LedgerStatus:
    """Return what the ledger knows: counts since its beginning, and when a photo was filed last.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    inbox, output = roots_of(ledger)
    known, labels = _counted(ledger)
    itself, inside = _files(inbox, output)
    return LedgerStatus(
        inbox=str(inbox) if inbox else None,
        output=str(output) if output else None,
        filed=known.filed,
        today=known.today,
        classes=known.classes,
        outcomes=known.outcomes,
        reviews=known.reviews,
        held=known.held,
        last_filed_at_s=known.last_filed_at_s,
        labels=labels,
        in_inbox=itself,
        in_folders=inside,
    )


def _counted(ledger: Path) -> tuple[Totals, LabelTotals]:
    """Return what a ledger counts: photos, and labels.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    looked_at_s = last_look_s(ledger.parent)
    return ask_ledger(ledger, lambda one: (totals(one, _midnight_s()), labels_summary(one, looked_at_s)))


def _midnight_s() -> float:
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _files(inbox: Path | None, output: Path | None) -> tuple[int | None, int | None]:
    """Count the files in the inbox itself and in folders inside it; None where it cannot be listed.

    Both are counted, because nobody knows whether the next daemon gets `--recursive`.
    """
    if inbox is None:
        return None, None
    itself = inside = 0
    try:
        for path in scan(PathFilter(inbox, recursive=True, left_out=[output] if output else [])):
            itself += path.parent == inbox
            inside += path.parent != inbox
    except OSError:
        return None, None
    return itself, inside


def _last_status(state: Path) -> StatusSnapshot | None:
    """Return the status that the daemon wrote at its last orderly end; None if that file is missing or damaged."""
    with suppress(OSError, ValueError):
        return StatusSnapshot.from_json(json.loads((state / LAST_STATUS).read_text(encoding="utf-8")))
    return None
