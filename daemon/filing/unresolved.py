"""Moves that failed or whose reply was lost: check both places, repeatedly, instead of guessing.

A share may report a failure although it did the move: its server died before the reply, or a repeated request met its
own result. After a crash the destination's folder may be locked, or its disk may fail. An intent stays open until both
of its places could be checked. Its photo waits; all others are filed.
"""

from pathlib import Path

from common.text import printable
from daemon.files.identity import is_on_share
from daemon.files.mounts import is_mounted
from daemon.filing.originals import Originals, Paths, nowhere
from daemon.filing.recovery import resolve
from daemon.ledger.intent import Intent
from daemon.photo import Outcome, Photo
from daemon.process.clock import Clock, back_off_s
from daemon.queues import Blocked

PendingOutcomes = dict[int, Outcome | None]
"""Outcomes that are not in the ledger yet, by row."""


def unfinished(intent: Intent, error: OSError) -> str:
    """Return the sentence about an intent whose places cannot be checked now."""
    cause = printable(str(error.filename or intent.destination))
    return f"it cannot be checked whether it was moved to {printable(intent.destination)}: {cause}: {error.strerror}"


class UnresolvedMoves:
    """Keeps open intents until their places can be checked; after a restart, recovery continues with them.

    Args:
        clock: time.
        paths: yields the files of the inbox: the owner may have renamed an original since.
    """

    def __init__(self, clock: Clock, paths: Paths = tuple) -> None:
        self._clock = clock
        self.paths = paths
        self._open: dict[int, tuple[Intent, str]] = {}
        self._waiting: dict[Path | tuple[int, ...], Intent] = {}
        self._tries = 0
        self._again_s = 0.0

    def add(self, row: int, intent: Intent, error: OSError) -> None:
        """Add an intent whose places cannot be checked now."""
        self._open[row] = intent, unfinished(intent, error)
        self._waiting |= _keys(intent)

    def find(self, photo: Photo) -> Intent | None:
        """Return the open intent of a photo: of this very file, or of a file of equal size and time at its path.

        The second case exists because a share gives a file another inode number at each mount.

        Args:
            photo: found in the inbox.
        """
        intent = self._waiting.get(photo.path)
        if intent is not None and intent.identity[2:] == photo.found.identity[2:]:
            return intent
        intent = self._waiting.get(photo.found.identity[1:])  # the device may have another number since
        if intent is not None and (intent.identity == photo.found.identity or intent.sha256 == photo.read.sha256 != ""):
            return intent
        return None

    def holds_up(self, photo: Photo, outcomes: PendingOutcomes, copied: list[Intent]) -> bool:
        """Tell whether a photo must not be filed now because it has an open intent.

        Such a photo may have been moved from a mount that went away. If it reappears, even under another name, its
        intent is finished, so that it is not filed twice.

        Args:
            photo: found in the inbox; its outcome is set if it must not be filed.
            outcomes: gets the outcome of an intent that is finished.
            copied: gets that intent, whose copy may have a hidden name.
        """
        intent = self.find(photo)
        if intent is None:
            return False
        if intent.mount is not None and self._finish(intent, photo, outcomes):
            copied.append(intent)
            return photo.filing.outcome is Outcome.GONE
        photo.filing.keep(Outcome.AGAIN, "it cannot be checked now whether it was moved")
        photo.filing.waits_for = str(intent.destination)
        return True

    def blocked(self) -> list[Blocked]:
        """Return which destinations cannot be checked, and why; another thread may call this."""
        return [Blocked(str(intent.destination), 1, reason) for intent, reason in list(self._open.values())]

    def was_done(self, row: int, intent: Intent, error: OSError, outcomes: PendingOutcomes) -> bool:
        """Tell whether a move that reported a failure was done after all; add its outcome to `outcomes` if known.

        On a disk "the name is taken" proves that nothing was done, whatever lies there: another inbox may have filed
        the same photo under this name.

        Args:
            row: of the intent.
            intent: the planned move.
            error: its failure.
            outcomes: gets the outcome.
        """
        if isinstance(error, FileExistsError) and not is_on_share(intent.destination.parent):
            outcomes[row] = None
            return False
        try:
            outcome = resolve(intent)
        except OSError as error:
            self.add(row, intent, error)
            return False
        done = outcome is intent.becomes
        outcomes[row] = outcome if done else None
        return done

    def retry(self, outcomes: PendingOutcomes) -> list[Intent]:
        """Check again if it is due, and add known outcomes to `outcomes`; returns the intents that were resolved."""
        resolved: list[Intent] = []
        if not self._open or self._clock.monotonic_s() < self._again_s:
            return resolved
        originals = Originals(self.paths, [intent for intent, _ in self._open.values()])
        for row, (intent, _) in list(self._open.items()):
            try:
                outcomes[row] = resolve(intent, originals.find if _can_be_seen(intent) else nowhere)
            except OSError as error:
                self.add(row, intent, error)
            else:
                resolved.append(self._open.pop(row)[0])
        self._reindex()
        if not self._open:
            self._tries, self._again_s = 0, 0.0
            return resolved
        self._again_s = self._clock.monotonic_s() + back_off_s(self._tries)
        self._tries += 1
        return resolved

    def _finish(self, intent: Intent, photo: Photo, outcomes: PendingOutcomes) -> bool:
        """Finish the move of a photo that reappeared; False if it is not possible now."""
        row = next(row for row, (its, _) in self._open.items() if its is intent)
        try:
            outcomes[row] = resolve(intent, lambda _: photo.path)
        except OSError:
            return False
        del self._open[row]
        self._reindex()
        if outcomes[row] is not None:
            photo.filing.keep(Outcome.GONE, "it had been filed before its mount went away")
        return True

    def _reindex(self) -> None:
        self._waiting = {key: its for intent, _ in self._open.values() for key, its in _keys(intent).items()}


def _keys(intent: Intent) -> dict[Path | tuple[int, ...], Intent]:
    return {intent.source: intent, intent.identity[1:]: intent}


def _can_be_seen(intent: Intent) -> bool:
    return intent.mount is None or is_mounted(intent.mount)
