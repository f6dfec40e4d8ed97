"""Asks how a daemon is: the process by its socket, or its ledger when there is none."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.reading import find_ledgers, reading, root_of
from daemon.photo import Outcome
from daemon.status.loop import LAST_WORD
from daemon.status.snapshot import LedgerStatus, StatusSnapshot
from daemon.status.snapshot_parts import State
from daemon.status.unix_socket import NAME, connect

TIMEOUT_S = 3.0


def ask_all(inbox: Path | None) -> list[StatusSnapshot | LedgerStatus]:
    """Return how each daemon is that is found.

    Args:
        inbox: whose; None for all of this user's and the services'.

    Raises:
        LedgerError: there is none.
    """
    return [ask_one(ledger) for ledger in find_ledgers(inbox)]


def ask_one(ledger: Path) -> StatusSnapshot | LedgerStatus:
    """Return how the daemon is whose ledger this is."""
    try:
        return fetch(ledger.parent)
    except TimeoutError:
        state, why = State.SILENT, f"it was asked, and did not answer within {TIMEOUT_S:.0f} s"
    except (FileNotFoundError, ConnectionRefusedError) as error:
        killed = isinstance(error, ConnectionRefusedError)
        state, why = State.DOWN, "it was killed: its socket is left" if killed else ""
    except (OSError, ValueError) as error:
        state, why = State.SILENT, f"{ledger.parent / NAME} cannot be asked ({error})"
    status = replace(from_ledger(ledger), state=state, why=why)
    last = _last_word(ledger.parent)
    if last is None:
        return status
    # What somebody ran by hand and ended is not missed; a service that ended is.
    ended = last.state in (State.STOPPING, State.STOPPED) and not last.supervised and state is State.DOWN and not why
    return replace(
        status,
        state=State.ENDED if ended else state,
        stopped_at_s=last.at_s,
        last_error=last.last_error,
        model=last.model,
    )


def fetch(state: Path) -> StatusSnapshot:
    """Return what the process says of itself.

    Raises:
        OSError: it cannot be asked; TimeoutError when it does not answer.
        ValueError: what it says is no status.
    """
    with connect(state, TIMEOUT_S) as caller:
        caller.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        parts = []
        while part := caller.recv(1 << 16):
            parts.append(part)
    return StatusSnapshot.from_json(json.loads(b"".join(parts).partition(b"\r\n\r\n")[2]))


def from_ledger(ledger: Path) -> LedgerStatus:
    """Return what the ledger knows: counts since it began, and when a photo was filed last.

    Raises:
        LedgerError: it cannot be read.
    """
    classes: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    with reading(ledger) as connection:
        inbox, output = (root_of(connection, role) for role in ("inbox", "output"))
        counts = "SELECT state, label, count(*) FROM photos WHERE part_of IS NULL AND undoes IS NULL GROUP BY 1, 2"
        for state, label, count in connection.execute(counts):
            outcomes[state] += count
            if state == Outcome.FILED:
                classes[label] += count
        (last_s,) = connection.execute("SELECT concluded_at FROM photos ORDER BY id DESC LIMIT 1").fetchone() or (None,)
    return LedgerStatus(
        inbox=str(inbox) if inbox else None,
        output=str(output) if output else None,
        filed=outcomes[Outcome.FILED.value],
        classes=dict(classes),
        outcomes=dict(outcomes),
        last_filed_at_s=last_s,
        in_inbox=_files(inbox, output),
    )


def _files(inbox: Path | None, output: Path | None) -> int | None:
    if inbox is not None:
        with suppress(OSError):
            return sum(1 for _ in scan(PathFilter(inbox, left_out=[output] if output else [])))
    return None


def _last_word(state: Path) -> StatusSnapshot | None:
    """Return the status that the daemon left at its last orderly end, or None if there is none that can be used."""
    with suppress(OSError, ValueError):
        return StatusSnapshot.from_json(json.loads((state / LAST_WORD).read_text(encoding="utf-8")))
    return None
