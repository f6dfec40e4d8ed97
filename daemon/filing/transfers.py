"""Transfers of one batch, after its intents are committed: one after another, or many at once on a share."""

import errno
import threading
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.copying.copy_file import NoRoomError
from daemon.copying.losses import Losses
from daemon.files.limits import MAX_PLAINNESS, REFUSED
from daemon.files.open_writers import HELD, OpenWriterError
from daemon.filing.companions.replaced import put_back, set_aside
from daemon.filing.failure_note import reason_in_note, try_to_write_failure_note
from daemon.filing.modes import transfer, why_not
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
from daemon.filing.pending_work import PendingWork
from daemon.filing.unresolved import UnresolvedMoves
from daemon.ledger.intent import Intent
from daemon.photo import STOPPED, Mode, Outcome, Photo
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import SHARE_TOGETHER, for_each

IN_ONE_FOLDER = 4
"""How many photos go into or out of one folder of a share at once. The kernel makes or removes one name in a folder at
a time, and that is half of a photo's round trips; more threads would only delay the daemon's stop."""


class Move(NamedTuple):
    """A photo that is about to be filed, with its row and intent, and the same for each of its companions."""

    photo: Photo
    row: int
    intent: Intent
    parts: list[tuple[Photo, int, Intent]]


class Transfers:
    """Files photos at their destinations. One thread does all steps of a photo, in order.

    Args:
        output: root of the class folders.
        mode: how photos are filed.
        unresolved: moves whose result is unknown.
        pending: collects the syncs and outcomes of the batch.
        pause: problems that stop all photos.
        losses: reports what the output cannot keep.
        noted: outcomes of photos that get a note beside them.

    Attributes:
        taken: destinations that a rename called taken.
    """

    def __init__(
        self,
        output: Path,
        mode: Mode,
        unresolved: UnresolvedMoves,
        pending: PendingWork,
        pause: Pause,
        losses: Losses,
        *,
        noted: Collection[Outcome],
    ) -> None:
        self._output = output
        self._mode = mode
        self._unresolved = unresolved
        self._pending = pending
        self._pause = pause
        self._losses = losses
        self._noted = noted
        self._noting = threading.Lock()
        self._troubles: dict[tuple[type[OSError], int | None, bool], str] = {}
        self.taken: set[str] = set()

    def run(
        self,
        moves: list[Move],
        is_over: Callable[[], bool],
        heartbeat: Heartbeat,
        *,
        on_share: bool,
        output_on_share: bool,
    ) -> None:
        """File a batch and collect the outcomes.

        Args:
            moves: the batch.
            is_over: tells whether the daemon is stopping: photos that were not begun then stay in the inbox.
            heartbeat: beats with each photo.
            on_share: the source or the destination lies on a share.
            output_on_share: the destination lies on a share.
        """

        def _one(move: Move) -> None:
            if is_over():
                self._leave(move.photo, move.row, Outcome.AGAIN, STOPPED)
            else:
                file = self._transfer if move.intent.kept is None else self._replace
                file(move.photo, move.row, move.intent)
            for part, row, its in move.parts:
                if move.photo.filing.destination:
                    self._transfer(part, row, its)
                else:
                    self._pending.outcomes[row] = None

        threads = 1
        if on_share:
            moves, folders = _by_turns(moves, output_on_share=output_on_share)
            threads = min(SHARE_TOGETHER, IN_ONE_FOLDER * folders)
        for_each(moves, _one, threads, "place", heartbeat)

    def begin(self) -> None:
        """Forget the names and errors of the last batch."""
        self.taken.clear()
        self._troubles.clear()

    def postpone(self, photo: Photo, error: OSError, reason: str) -> None:
        """Keep a photo in the inbox after an error of the kernel that concerns this photo, or all photos."""
        kind = (type(error), error.errno, is_disk_of_its_own(photo, self._output))
        if kind not in self._troubles:  # checked once per batch
            self._troubles[kind] = trouble_of_all(error, photo, self._output, self._mode)
        trouble = self._troubles[kind]
        if trouble:
            self._pause.begin(trouble, LONGEST_OF_FAILING_S if error.errno in FAILING else LONGEST_S)
        filing = photo.filing
        filing.waits_for = "" if trouble else self._waits_for(photo, error)
        if filing.waits_for == str(photo.path.parent):
            reason = f"{printable(filing.waits_for)} cannot be written ({error.strerror})"
        filing.keep(Outcome.AGAIN, trouble or reason)
        if isinstance(error, NoRoomError):
            filing.waits_for = str(photo.path)  # smaller photos may fit
            if filing.follows is not None:
                self._losses.stays(photo.path, reason)

    def _waits_for(self, photo: Photo, error: OSError) -> str:
        """Return the place that refuses: the class folder, the photo's own folder, or the photo itself.

        A photo that may not leave its own folder, or may not be moved at all, says nothing about the class folder.
        Blaming the class folder would retry all such photos with each photo that is filed there.
        """
        filing = photo.filing
        if error.errno not in FORBIDDEN or filing.follows is not None or filing.destination is None:
            return filing.folder
        if self._mode is Mode.MOVE and not may_write(photo.path.parent):
            return str(photo.path.parent)
        its_own = error.errno != errno.EROFS and may_write(filing.destination.parent)
        return str(photo.path) if its_own else filing.folder

    def _replace(self, photo: Photo, row: int, intent: Intent) -> None:
        """File a sidecar in the place of the one filed before, which gets a hidden name."""
        try:
            set_aside(intent)
        except OpenWriterError:
            self._leave(photo, row, Outcome.AGAIN, HELD)
            return
        except OSError as error:
            self._pending.outcomes[row] = None
            self._not_transferred(photo, intent.destination, error)
            return
        self._transfer(photo, row, intent)
        if self._pending.outcomes.get(row, photo.filing.outcome) is None:
            try:
                put_back(intent)
            except OSError as error:
                del self._pending.outcomes[row]
                self._unresolved.add(row, intent, error)

    def _transfer(self, photo: Photo, row: int, intent: Intent) -> None:
        """File one photo and collect its outcome for the ledger: None if nothing was done."""
        found, filing, target = photo.found, photo.filing, photo.filing.destination
        assert target is not None
        try:
            result = transfer(self._mode, found.path, found.identity, photo.read.sha256, target, found.relpath)
        except OpenWriterError:
            self._leave(photo, row, Outcome.AGAIN, HELD)
            return
        except SourceChangedError:
            self._leave(photo, row, Outcome.GONE, "it changed before it was filed")
            return
        except OSError as error:
            # A share may report a failure although it moved the photo: check both places before planning it again.
            if not self._unresolved.was_done(row, intent, error, self._pending.outcomes):
                self._not_transferred(photo, target, error)
                return
            result = None
        if filing.outcome in self._noted and filing.follows is None:
            filing.reason += try_to_write_failure_note(target, found.path.name, reason_in_note(intent))
        with self._noting:
            if result is None or result.hidden is not None:  # None: the reply was lost, so a hidden name may remain
                self._pending.copied.append(intent)
            if result is not None and result.leaving is not None:
                self._pending.leaving[row] = result.leaving
            self._losses.note(target, result.lost if result else ())
            self._pause.end()
            filing.stays = self._mode is not Mode.MOVE
            self._pending.add_photo(found.path, target, self._mode)
            self._pending.outcomes[row] = filing.outcome

    def _leave(self, photo: Photo, row: int, outcome: Outcome, reason: str) -> None:
        photo.filing.keep(outcome, reason)
        self._pending.outcomes[row] = None

    def _not_transferred(self, photo: Photo, target: Path, error: OSError) -> None:
        with self._noting:
            if self._may_get_another(photo, target, error):
                photo.filing.destination = None
            else:
                self.postpone(photo, error, why_not(self._mode, target, error))

    def _may_get_another(self, photo: Photo, target: Path, error: OSError) -> bool:
        """Tell whether another name may help: a number if this one is taken, a plainer name if this one was refused."""
        if isinstance(error, FileExistsError):
            self.taken.add(str(target))
            photo.filing.tries += 1
            return photo.filing.tries < TRIES_OF_A_NAME
        if error.errno not in REFUSED or photo.filing.plainness == MAX_PLAINNESS:
            return False
        photo.filing.plainness += 1
        return True


def _by_turns(moves: list[Move], *, output_on_share: bool) -> tuple[list[Move], int]:
    """Let folders take turns, because photos in one folder wait for each other; returns the number of folders."""
    turns: Counter[Path] = Counter()
    order = []
    sources: set[Path] = set()
    for number, move in enumerate(moves):
        folder = move.intent.destination.parent if output_on_share else move.intent.source.parent
        order.append((turns[folder], number))
        turns[folder] += 1
        if move.photo.found.on_share:
            sources.add(move.intent.source.parent)
    folders = min(len(turns), len(sources) or len(turns))
    return [moves[number] for _, number in sorted(order)], folders
