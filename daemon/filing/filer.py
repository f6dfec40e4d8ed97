"""The last stage: decide, commit the intents, move, sync, commit the outcomes. Each commit serves a whole batch."""

import sqlite3
from contextlib import suppress
from math import inf
from pathlib import Path

from daemon.copying.losses import Losses
from daemon.files.companion_names import WAITS
from daemon.files.marker import OutputMarker
from daemon.filing.companions.late import LateCompanions, stay
from daemon.filing.companions.waiting import Companions
from daemon.filing.layout import FilingOptions
from daemon.filing.pause import Pause
from daemon.filing.pending_work import PendingWork
from daemon.filing.plan import Planner
from daemon.filing.transfers import Move, Transfers
from daemon.filing.unresolved import UnresolvedMoves
from daemon.ledger.held_files import UNCHANGED
from daemon.ledger.intent import intent_for
from daemon.ledger.ledger import Ledger
from daemon.photo import STOPPED, Filing, Outcome, Photo
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat
from daemon.process.log_level import Say, unsaid

STOP_S = 1.0
"""How long the filer continues with waiting photos after a request to stop."""


class Filer:
    """Moves judged photos from the inbox into the output; used by one thread.

    Args:
        output: root of the class folders.
        ledger: where intents and outcomes go.
        clock: time, for the ledger.
        say: called with a sentence for the user: a pause has ended, or the output cannot keep something of a photo.
        unresolved: intents that the last run left open.
        options: mode and layout; by default photos are moved into the folder of their class.
        batch: number of the batch of all photos, from `Ledger.new_batch`; None for one of each commit.

    Attributes:
        heartbeat: beats with each step of a batch.
    """

    def __init__(
        self,
        output: Path,
        ledger: Ledger,
        clock: Clock,
        say: Say = unsaid,
        unresolved: UnresolvedMoves | None = None,
        options: FilingOptions | None = None,
        batch: int | None = None,
    ) -> None:
        self._output = output
        self._ledger = ledger
        self._batch = batch
        self._clock = clock
        self._options = options or FilingOptions()
        adopted = ledger.roots.get("output")
        same = adopted is not None and adopted.path == output
        self._marker = OutputMarker(output, adopted.marker if adopted and same else None)
        self.pause = Pause(clock, say)
        self._pending = PendingWork(ledger, clock)
        self._unresolved = unresolved or UnresolvedMoves(clock)
        self._transfers = Transfers(
            output, self._options.mode, self._unresolved, self._pending, self.pause, Losses(say),
            noted=(Outcome.FAILED, Outcome.REVIEW) if self._options.review_notes else (Outcome.FAILED,),
        )  # fmt: skip
        layout, set_aside = self._options.layout, self._options.set_aside
        self._planner = Planner(output, ledger, layout, set_aside=set_aside, made=self._pending.syncs.add_folder)
        self._late = LateCompanions(clock, ledger, output, self._options.mode)
        self._companions = Companions(self._late.is_outranked)
        self._on_share = False
        self._stopped_s = inf
        self.heartbeat = Heartbeat(clock.monotonic_s)
        self.blocked, self.lonely = self._unresolved.blocked, self._companions.lonely

    def file(self, photos: list[Photo]) -> None:
        """File a batch. Afterwards each photo's `filing` holds the result."""
        started_s = self._clock.monotonic_s()
        for photo in photos:
            photo.filing = begin_filing(photo)
        self._transfers.begin()
        if self._unresolved.blocked():
            self._attempt([])  # retries them
        parts = [photo for photo in photos if photo.found.is_companion]
        parts = self._without_held([part for part in parts if not self._is_unresolved(part)])
        for part in parts:
            self._companions.add(part)
        waiting = [photo for photo in photos if photo.filing.folder]
        while waiting:  # a photo is planned again if its name was taken meanwhile, or refused
            waiting = self._attempt(waiting)
        self._file_late_companions([part for part in parts if part.filing.follows is None])
        with suppress(sqlite3.Error):  # the ledger cannot be read or written now: then they are reported once more
            self._late.tell_of([part for part in parts if part.filing.outcome is Outcome.LEFT])
        took_ms = 1e3 * (self._clock.monotonic_s() - started_s)
        for photo in photos:
            photo.times_ms["file"] = took_ms

    def stop(self) -> None:
        """Stop filing within a second; on a share, finish only the moves that have begun. Other photos stay.

        Any thread and a signal handler may call this.
        """
        self._stopped_s = min(self._stopped_s, self._clock.monotonic_s())

    def flush(self) -> None:
        """Flush the pending syncs and outcomes.

        Raises:
            OSError, sqlite3.Error: it is not possible now; the work stays pending.
        """
        self._pending.flush(on_share=self._on_share, heartbeat=self.heartbeat)

    def _attempt(self, photos: list[Photo]) -> list[Photo]:
        """File one batch; returns the photos that must be planned once more."""
        if self._is_over():
            for photo in photos:
                photo.filing.keep(Outcome.AGAIN, STOPPED)
            return []
        # A photo filed into a bare mount point would vanish under the next mount: check the marker before each batch.
        obstacle = self._marker.obstacle()
        if obstacle:
            self._hold_up(photos, obstacle)
            return []
        self._pending.copied += self._unresolved.retry(self._pending.outcomes)
        photos = self._without_held(self._without_unresolved(photos))
        self._on_share = self._marker.on_share or any(photo.found.on_share for photo in photos)
        if self._on_share:
            self._planner.look_ahead(photos, self.heartbeat)
        try:
            planned, later, obstacles = self._planner.plan(photos, self._companions, self._transfers.taken)
        except sqlite3.Error as error:
            self._hold_up(photos, f"the ledger cannot be read ({error})")
            return []
        for photo in photos:
            if id(photo) in obstacles:
                self._transfers.postpone(photo, *obstacles[id(photo)])
                self._keep_unfiled_companions(photo)
        self._carry_out(planned)
        for photo in planned:
            self._keep_unfiled_companions(photo)
        # Another program took the name, or the file system refused it: these photos are planned again with another.
        taken = [photo for photo in planned if photo.filing.destination is None]
        return later + [photo for photo in taken if photo.filing.outcome not in (Outcome.AGAIN, Outcome.GONE)]

    def _without_held(self, photos: list[Photo]) -> list[Photo]:
        """Return the photos without held files: filed or taken back before, with unchanged content."""
        try:
            held = self._ledger.unchanged(photos, self._clock.monotonic_s(), self._clock.wall_s())
        except sqlite3.Error as error:
            self._hold_up(photos, f"the ledger cannot be read ({error})")
            return []
        for photo in held:
            photo.filing.keep(Outcome.LEFT, UNCHANGED)
            photo.filing.stays = True
        return [photo for photo in photos if not photo.filing.stays]

    def _is_unresolved(self, photo: Photo) -> bool:
        return self._unresolved.holds_up(photo, self._pending.outcomes, self._pending.copied)

    def _without_unresolved(self, photos: list[Photo]) -> list[Photo]:
        """Return the photos without those whose earlier move is unresolved; these wait."""
        return [photo for photo in photos if not self._is_unresolved(photo)]

    def _file_late_companions(self, parts: list[Photo]) -> None:
        """File companions that arrive after their photo. A companion whose photo has not arrived waits for it."""
        late: list[Photo] = []
        if self._is_over():
            return
        promised: set[Path] = set()
        with suppress(sqlite3.Error):  # the ledger cannot be read now: the companions wait
            coming = {id(part): part for part in (*self._late.due(), *parts)}  # one that just failed is in both
            late = [part for part in coming.values() if self._late.find_photo(part, promised)]
        self._carry_out(late)
        for part in late:
            self._companions.remove(part)
        self._late.tried(late)

    def _carry_out(self, planned: list[Photo]) -> None:
        """Commit intents, transfer photos and companions to their destinations, then flush syncs and outcomes."""
        if not planned and not self._pending.outcomes:
            return
        try:
            self.flush()
            intents = [intent_for(photo, self._options.mode) for photo in planned]
            rows = iter(self._ledger.intend(intents, self._clock.wall_s(), self._batch))
        except (OSError, sqlite3.Error) as error:
            self._hold_up(planned, f"the ledger cannot be written, or filed photos cannot be synced ({error})")
            return
        moves = [
            Move(photo, next(rows), intent, [*zip(photo.filing.companions, rows, intent.companions, strict=False)])
            for photo, intent in zip(planned, intents, strict=True)
        ]
        self._transfers.run(
            moves, self._is_over, self.heartbeat, on_share=self._on_share, output_on_share=self._marker.on_share
        )
        try:
            self.flush()
        except (OSError, sqlite3.Error) as error:
            for photo in planned:
                lost = f"filed, but a power cut may still lose it ({error})"
                photo.filing.reason = f"{photo.filing.reason}; {lost}" if photo.filing.reason else lost

    def _keep_unfiled_companions(self, photo: Photo) -> None:
        """Keep the companions that were not filed: they wait for their photo, or follow it to its new folder."""
        filing = photo.filing
        left = [part for part in filing.companions if filing.destination is None or part.filing.destination is None]
        for part in left:
            if part.filing.outcome is not Outcome.GONE:
                stay(part)
                (self._companions.add if filing.destination is None else self._late.add)(part)
        filing.companions = [part for part in filing.companions if part not in left]

    def _hold_up(self, photos: list[Photo], reason: str) -> None:
        """Keep photos in the inbox because of a problem that stops all photos."""
        self.pause.begin(reason)
        for photo in photos:
            photo.filing.keep(Outcome.AGAIN, reason)

    def _is_over(self) -> bool:
        if self._stopped_s == inf:
            return False
        return self._on_share or self._clock.monotonic_s() >= self._stopped_s + STOP_S


def begin_filing(photo: Photo) -> Filing:
    """Return how a photo is filed as long as nothing prevents what was decided; a companion waits for its photo."""
    if photo.found.is_companion:
        return Filing(Outcome.LEFT, reason=WAITS)
    return Filing(photo.judgement.outcome, photo.judgement.folder, photo.judgement.reason)
