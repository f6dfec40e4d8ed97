"""Moves of which it cannot be seen whether they were done: looked up from time to time, and not guessed.

A share may have done what it then reports as failed: its server died between the two, or a repeated request met its own
work. And after a crash the folder of a destination may be locked, or its disk fail. An intent is open until both of its
places have been seen. Its photo waits; all others are filed.
"""

from pathlib import Path

from contract.text import printable
from daemon.files.identity import is_on_share
from daemon.files.mounts import is_mounted
from daemon.filing.originals import Originals, Paths, nowhere
from daemon.filing.recovery import settle
from daemon.ledger.intent import Intent
from daemon.photo import Outcome, Photo
from daemon.process.clock import Clock
from daemon.queues import Blocked

Owed = dict[int, Outcome | None]
"""What the ledger is still to be told, by row."""
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Pauses between two looks: a disk that fails may take seconds for each."""


def unfinished(intent: Intent, error: OSError) -> str:
    """Return the sentence about an intent whose places cannot be looked at now."""
    cause = printable(str(error.filename or intent.destination))
    return f"whether it was moved to {printable(intent.destination)} cannot be seen: {cause}: {error.strerror}"


class UnresolvedMoves:
    """Keeps open intents until it can be seen what became of them; after the process's end the next start does.

    Args:
        clock: time.
        paths: yields the files of the inbox, among which an original may have another name by now.
    """

    def __init__(self, clock: Clock, paths: Paths = tuple) -> None:
        self._clock = clock
        self.paths = paths
        self._open: dict[int, tuple[Intent, str]] = {}
        self._waiting: dict[Path | tuple[int, ...], Intent] = {}
        self._tries = 0
        self._again_s = 0.0

    def add(self, row: int, intent: Intent, error: OSError) -> None:
        """Take note of an intent whose places cannot be looked at now."""
        self._open[row] = intent, unfinished(intent, error)
        self._waiting |= _keys(intent)

    def of(self, photo: Photo) -> Intent | None:
        """Return the open intent of a photo: the file that it names, or one of equal size and time in its place.

        A share gives a file another number at each mount. Any other file under the name has no open intent.
        """
        intent = self._waiting.get(photo.path)
        if intent is not None and intent.identity[2:] == photo.identity[2:]:
            return intent
        intent = self._waiting.get(photo.identity[1:])  # its device may have another number by now
        if intent is not None and (intent.identity == photo.identity or intent.sha256 == photo.sha256 != ""):
            return intent
        return None

    def holds_up(self, photo: Photo, owed: Owed, copied: list[Intent]) -> bool:
        """Let a photo wait if it has an open intent.

        One that was moved from a mount that went away, and is here now, maybe under another name, is not filed twice.
        """
        intent = self.of(photo)
        if intent is None:
            return False
        if intent.mount is not None and self._finish(intent, photo, owed):
            copied.append(intent)
            return photo.outcome is Outcome.GONE
        photo.destination, photo.outcome = None, Outcome.AGAIN
        photo.reason, photo.place = "whether it was moved cannot be seen now", str(intent.destination)
        return True

    def told(self) -> list[Blocked]:
        """Return what cannot be seen and why; another thread may ask."""
        return [Blocked(str(intent.destination), 1, reason) for intent, reason in list(self._open.values())]

    def was_done(self, row: int, intent: Intent, error: OSError, owed: Owed) -> bool:
        """Tell whether the move that failed was done after all; what can be told of it is put into `owed`.

        That a name is taken says on a disk that nothing was done, whatever lies there: another inbox may have filed the
        same photo under it.
        """
        if isinstance(error, FileExistsError) and not is_on_share(intent.destination.parent):
            owed[row] = None
            return False
        try:
            outcome = settle(intent)
        except OSError as error:
            self.add(row, intent, error)
            return False
        done = outcome is intent.becomes
        owed[row] = outcome if done else None
        return done

    def clear(self, owed: Owed) -> list[Intent]:
        """Look again if it is time to; what can be told now is put into `owed`. Returns those intents."""
        told: list[Intent] = []
        if not self._open or self._clock.monotonic_s() < self._again_s:
            return told
        originals = Originals(self.paths, [intent for intent, _ in self._open.values()])
        for row, (intent, _) in list(self._open.items()):
            try:
                owed[row] = settle(intent, originals.find if _can_be_seen(intent) else nowhere)
            except OSError as error:
                self.add(row, intent, error)
            else:
                told.append(self._open.pop(row)[0])
        self._know_again()
        if not self._open:
            self._tries, self._again_s = 0, 0.0
            return told
        self._again_s = self._clock.monotonic_s() + BACK_OFF_S[min(self._tries, len(BACK_OFF_S) - 1)]
        self._tries += 1
        return told

    def _finish(self, intent: Intent, photo: Photo, owed: Owed) -> bool:
        """Finish the move of a photo that was found again; tells whether it could be."""
        row = next(row for row, (its, _) in self._open.items() if its is intent)
        try:
            owed[row] = settle(intent, lambda _: photo.path)
        except OSError:
            return False
        del self._open[row]
        self._know_again()
        if owed[row] is not None:
            photo.destination, photo.outcome = None, Outcome.GONE
            photo.reason = "it had been filed before its mount went away"
        return True

    def _know_again(self) -> None:
        self._waiting = {key: its for intent, _ in self._open.values() for key, its in _keys(intent).items()}


def _keys(intent: Intent) -> dict[Path | tuple[int, ...], Intent]:
    return {intent.source: intent, intent.identity[1:]: intent}


def _can_be_seen(intent: Intent) -> bool:
    return intent.mount is None or is_mounted(intent.mount)
