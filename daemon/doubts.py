"""Moves whose answer was an error or got lost: what became of them is looked up, and not guessed.

A share may have done what it then reports as failed: its server died between the two, or a repeated request met its own
work. An intent is open until both of its places have been seen.
"""

from contextlib import suppress
from pathlib import Path

from daemon.intent import Intent
from daemon.photo import Outcome
from daemon.recovery import settle

Owed = dict[int, Outcome | None]
"""What the ledger is still to be told, by row."""


class Doubts:
    """Keeps open intents until it can be seen what became of them; after the process's end the next start does."""

    def __init__(self) -> None:
        self._intents: dict[int, Intent] = {}

    def __contains__(self, source: Path) -> bool:
        return any(intent.source == source for intent in self._intents.values())

    def was_done(self, row: int, intent: Intent, owed: Owed) -> bool:
        """Tell whether the move that failed was done after all; what can be told of it is put into `owed`."""
        try:
            outcome = settle(intent)
        except OSError:
            self._intents[row] = intent
            return False
        done = outcome is intent.becomes
        owed[row] = outcome if done else None
        return done

    def clear(self, owed: Owed) -> None:
        """Look again; what can be told now is put into `owed`."""
        for row, intent in list(self._intents.items()):
            with suppress(OSError):
                owed[row] = settle(intent)
                del self._intents[row]
