"""Asks how a daemon is: the process by its socket, or its ledger when there is none."""

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.reading import find_ledgers, reading, root_of
from daemon.photo import Outcome
from daemon.status.loop import LAST_WORD
from daemon.status.monitor import STOPPED, STOPPING
from daemon.status.unix_socket import NAME, connect

TIMEOUT_S = 3.0
DOWN, ENDED, SILENT = "not running", "ended", "does not answer"
"""`ended` is what somebody ran by hand who then ended it, or a `sort` that is through: it is not missed."""


def ask_all(inbox: Path | None) -> list[dict[str, Any]]:
    """Return how each daemon is that is found.

    Args:
        inbox: whose; None for all of this user's and the services'.

    Raises:
        LedgerError: there is none.
    """
    return [ask_one(ledger) for ledger in find_ledgers(inbox)]


def ask_one(ledger: Path) -> dict[str, Any]:
    """Return how the daemon is whose ledger this is."""
    try:
        return fetch(ledger.parent)
    except TimeoutError:
        state, why = SILENT, f"it was asked, and did not answer within {TIMEOUT_S:.0f} s"
    except (FileNotFoundError, ConnectionRefusedError) as error:
        killed = isinstance(error, ConnectionRefusedError)
        state, why = DOWN, "it was killed: its socket is left" if killed else ""
    except (OSError, ValueError) as error:
        state, why = SILENT, f"{ledger.parent / NAME} cannot be asked ({error})"
    word = _last_word(ledger.parent)
    if word.pop("by_hand", False) and state == DOWN and not why:
        state = ENDED
    return {"state": state, "why": why} | from_ledger(ledger) | word


def fetch(state: Path) -> dict[str, Any]:
    """Return what the process says of itself.

    Raises:
        OSError: it cannot be asked; TimeoutError when it does not answer.
        ValueError: what it says is not understood.
    """
    with connect(state, TIMEOUT_S) as caller:
        caller.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        parts = []
        while part := caller.recv(1 << 16):
            parts.append(part)
    facts = json.loads(b"".join(parts).partition(b"\r\n\r\n")[2])
    if not isinstance(facts, dict):
        raise ValueError("it says something that is no status")
    return facts


def from_ledger(ledger: Path) -> dict[str, Any]:
    """Return what the ledger knows: counts since it began, and when a photo was filed last.

    Raises:
        LedgerError: it cannot be read.
    """
    classes: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    with reading(ledger) as connection:
        roots = {role: root_of(connection, role) for role in ("inbox", "output")}
        counts = "SELECT state, label, count(*) FROM photos WHERE part_of IS NULL AND undoes IS NULL GROUP BY 1, 2"
        for state, label, count in connection.execute(counts):
            outcomes[state] += count
            if state == Outcome.FILED:
                classes[label] += count
        (last_s,) = connection.execute("SELECT concluded_at FROM photos ORDER BY id DESC LIMIT 1").fetchone() or (None,)
    return {
        **{role: str(path) if path else None for role, path in roots.items()},
        "filed": outcomes[Outcome.FILED.value],
        "classes": dict(classes),
        "outcomes": dict(outcomes),
        "last_filed_at_s": last_s,
        "in_inbox": _files(roots["inbox"], roots["output"]),
    }


def _files(inbox: Path | None, output: Path | None) -> int | None:
    if inbox is not None:
        with suppress(OSError):
            return sum(1 for _ in scan(PathFilter(inbox, left_out=[output] if output else [])))
    return None


def _last_word(state: Path) -> dict[str, Any]:
    """Return what the daemon left at its last orderly end, or nothing that can be used."""
    with suppress(OSError, ValueError):
        facts = json.loads((state / LAST_WORD).read_text(encoding="utf-8"))
        return {
            "stopped_at_s": facts["at_s"],
            "last_error": facts["last_error"],
            "model": facts["model"],
            "by_hand": facts["state"] in (STOPPING, STOPPED) and not facts.get("supervised", True),
        }
    return {}
