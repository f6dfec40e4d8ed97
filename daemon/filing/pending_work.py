"""Work that is pending after moves, flushed in this order: syncs, outcomes, removal of hidden names."""

import os
from pathlib import Path

from daemon.files.sync import Syncs
from daemon.filing.recovery import remove_hidden_name
from daemon.filing.unresolved import PendingOutcomes
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import LeavingOriginal
from daemon.ledger.ledger import Ledger
from daemon.photo import Mode
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import SHARE_TOGETHER, for_each


class PendingWork:
    """Collects the pending work of a batch, and of earlier batches that could not be flushed; for one thread.

    Args:
        ledger: of the inbox.
        clock: time.

    Attributes:
        outcomes: outcomes to be committed, by row.
        leaving: originals that wait under a hidden name, by row.
        copied: intents whose copies may have a hidden name.
        syncs: files and folders to be synced.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self.outcomes: PendingOutcomes = {}
        self.leaving: dict[int, LeavingOriginal] = {}
        self.copied: list[Intent] = []
        self.syncs = Syncs()

    def add_photo(self, source: Path, target: Path, mode: Mode) -> None:
        """Add the syncs of a photo that was filed."""
        if mode is not Mode.SYMLINK:  # a link has no data
            self.syncs.add_file(target)
        self.syncs.add_folder(os.path.split(target)[0])
        if mode is Mode.MOVE:
            self.syncs.add_folder(os.path.split(source)[0])

    def flush(self, *, on_share: bool, heartbeat: Heartbeat) -> None:
        """Flush the syncs, commit the outcomes, remove hidden names, in this order.

        Args:
            on_share: the source or the destination lies on a share.
            heartbeat: beats with each step.

        Raises:
            OSError, sqlite3.Error: it is not possible now; the work stays pending.
        """
        self.syncs.flush(on_share=on_share, heartbeat=heartbeat)
        if self.outcomes:
            self._ledger.conclude(self.outcomes, self._clock.wall_s(), self.leaving)
            self.outcomes.clear()
            self.leaving.clear()
        for_each(self.copied, remove_hidden_name, SHARE_TOGETHER if on_share else 1, "tidy", heartbeat)
        self.copied.clear()
