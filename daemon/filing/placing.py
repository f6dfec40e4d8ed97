"""The moves of one batch, once its intents are safe: one after another, or many at once where they wait for a share."""

import errno
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from contract.text import printable
from daemon.classify.decide import STOPPED
from daemon.copying.copy_file import NoRoomError
from daemon.copying.losses import Losses
from daemon.files.limits import MAX_PLAINNESS, REFUSED
from daemon.files.open_writers import HELD, OpenWriterError
from daemon.filing.debts import Debts
from daemon.filing.failure_note import try_to_write_failure_note
from daemon.filing.modes import place, why_not
from daemon.filing.move import TRIES_OF_A_NAME, SourceChangedError
from daemon.filing.pause import (
    FAILING,
    FORBIDDEN,
    LONGEST_OF_FAILING_S,
    LONGEST_S,
    Pause,
    is_disk_of_its_own,
    may_write,
    trouble_of_all,
)
from daemon.filing.unresolved import UnresolvedMoves
from daemon.ledger.intent import Intent
from daemon.photo import Mode, Outcome, Photo
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import FAR_TOGETHER, each

IN_ONE_FOLDER = 4
"""How many photos go into or out of one folder of a share at once. The kernel lets one name in a folder be made or
removed at a time, which is half of a photo's round trips; more would only keep the daemon from ending."""


class Move(NamedTuple):
    """A photo that is about to be moved, the row of its intent, and the same of what travels with it."""

    photo: Photo
    row: int
    intent: Intent
    parts: list[tuple[Photo, int, Intent]]


class Placer:
    """Brings photos to their destinations. Each photo's steps stay in their order, whichever thread takes them.

    Args:
        output: root of the class folders.
        mode: how photos are filed.
        unresolved: which moves were perhaps done.
        debts: takes what is owed then.
        pause: what holds up all.
        losses: what the output cannot keep.

    Attributes:
        taken: destinations that a rename called taken.
    """

    def __init__(
        self, output: Path, mode: Mode, unresolved: UnresolvedMoves, debts: Debts, pause: Pause, losses: Losses
    ) -> None:  # fmt: skip
        self._output = output
        self._mode = mode
        self._unresolved = unresolved
        self._debts = debts
        self._pause = pause
        self._losses = losses
        self._noting = threading.Lock()
        self._troubles: dict[tuple[type[OSError], int | None, bool], str] = {}
        self.taken: set[str] = set()

    def place(
        self, moves: list[Move], is_over: Callable[[], bool], heartbeat: Heartbeat, *, far: bool, far_output: bool
    ) -> None:
        """Place a batch, and note the outcomes.

        Args:
            moves: the batch.
            is_over: tells that the daemon ends now: what was not begun by then stays in the inbox.
            heartbeat: where it is noted with each photo that the batch gets on.
            far: source or destination lies on a share.
            far_output: the destination does.
        """

        def _one(move: Move) -> None:
            if is_over():
                self._leave(move.photo, move.row, Outcome.AGAIN, STOPPED)
            else:
                self._place(move.photo, move.row, move.intent)
            for part, row, its in move.parts:
                if move.photo.destination:
                    self._place(part, row, its)
                else:
                    self._debts.outcomes[row] = None

        threads = 1
        if far:
            moves, folders = _by_turns(moves, far_output=far_output)
            threads = min(FAR_TOGETHER, IN_ONE_FOLDER * folders)
        each(moves, _one, threads, "place", heartbeat)

    def begin(self) -> None:
        """Forget what is known of the last batch."""
        self.taken.clear()
        self._troubles.clear()

    def postpone(self, photo: Photo, error: OSError, reason: str) -> None:
        """Let a photo stay for now because of what the kernel said about it, or about all."""
        kind = (type(error), error.errno, is_disk_of_its_own(photo, self._output))
        if kind not in self._troubles:  # asked once a batch
            self._troubles[kind] = trouble_of_all(error, photo, self._output, self._mode)
        trouble = self._troubles[kind]
        if trouble:
            self._pause.begin(trouble, LONGEST_OF_FAILING_S if error.errno in FAILING else LONGEST_S)
        photo.place = "" if trouble else self._waits_for(photo, error)
        if photo.place == str(photo.path.parent):
            reason = f"{printable(photo.place)} cannot be written ({error.strerror})"
        photo.destination, photo.outcome, photo.reason = None, Outcome.AGAIN, trouble or reason
        if isinstance(error, NoRoomError):
            photo.place = str(photo.path)  # others may fit
            if photo.follows is not None:
                self._losses.stays(photo.path, reason)

    def _waits_for(self, photo: Photo, error: OSError) -> str:
        """Return the place that is in the way: the class folder, the photo's own folder, or the photo's path.

        That it may not be taken out of its own folder, or not be moved at all, says nothing of the class. Else each
        photo that is filed under it would let all of these be tried again.
        """
        if error.errno not in FORBIDDEN or photo.follows is not None or photo.destination is None:
            return photo.folder
        if self._mode is Mode.MOVE and not may_write(photo.path.parent):
            return str(photo.path.parent)
        its_own = error.errno != errno.EROFS and may_write(photo.destination.parent)
        return str(photo.path) if its_own else photo.folder

    def _place(self, photo: Photo, row: int, intent: Intent) -> None:
        """Bring one photo to its destination, and note the outcome for the ledger: None if nothing was done."""
        target = photo.destination
        assert target is not None
        try:
            placed = place(self._mode, photo.path, photo.identity, photo.sha256, target, photo.relpath)
        except OpenWriterError:
            self._leave(photo, row, Outcome.AGAIN, HELD)
            return
        except SourceChangedError:
            self._leave(photo, row, Outcome.GONE, "it changed before it was filed")
            return
        except OSError as error:
            if not self._unresolved.was_done(row, intent, error, self._debts.outcomes):
                self._not_placed(photo, target, error)
                return
            placed = None
        if photo.outcome is Outcome.FAILED and photo.follows is None:
            photo.reason += try_to_write_failure_note(target, photo.path.name, photo.reason)
        with self._noting:
            if placed is None or placed.hidden is not None:  # or as it may be
                self._debts.copied.append(intent)
            if placed is not None and placed.left is not None:
                self._debts.left[row] = placed.left
            self._losses.note(target, placed.lost if placed else ())
            self._pause.end()
            photo.stays = self._mode is not Mode.MOVE
            self._debts.placed(photo.path, target, self._mode)
            self._debts.outcomes[row] = photo.outcome

    def _leave(self, photo: Photo, row: int, outcome: Outcome, reason: str) -> None:
        photo.destination, photo.outcome, photo.reason = None, outcome, reason
        self._debts.outcomes[row] = None

    def _not_placed(self, photo: Photo, target: Path, error: OSError) -> None:
        with self._noting:
            if self._may_get_another(photo, target, error):
                photo.destination = None
            else:
                self.postpone(photo, error, why_not(self._mode, target, error))

    def _may_get_another(self, photo: Photo, target: Path, error: OSError) -> bool:
        """Tell whether another name may help: a number where this one was taken, a plainer one where it was refused."""
        if isinstance(error, FileExistsError):
            self.taken.add(str(target))
            photo.tries += 1
            return photo.tries < TRIES_OF_A_NAME
        if error.errno not in REFUSED or photo.plainness == MAX_PLAINNESS:
            return False
        photo.plainness += 1
        return True


def _by_turns(moves: list[Move], *, far_output: bool) -> tuple[list[Move], int]:
    """Let folders take turns, so that photos in one of them do not wait for each other; returns how many there are."""
    turns: Counter[Path] = Counter()
    order = []
    sources: set[Path] = set()
    for number, move in enumerate(moves):
        folder = move.intent.destination.parent if far_output else move.intent.source.parent
        order.append((turns[folder], number))
        turns[folder] += 1
        if move.photo.on_share:
            sources.add(move.intent.source.parent)
    folders = min(len(turns), len(sources) or len(turns))
    return [moves[number] for _, number in sorted(order)], folders
