"""What filing owes: to the disk its syncs, then to the ledger the outcomes; and then the hidden names of copies go."""

import os
from pathlib import Path

from daemon.files.sync import Syncs
from daemon.filing.recovery import remove_hidden_name
from daemon.filing.unresolved import Owed
from daemon.ledger.intent import Intent
from daemon.ledger.leaving import Left
from daemon.ledger.ledger import Ledger
from daemon.photo import Mode
from daemon.process.clock import Clock
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import FAR_TOGETHER, each


class Debts:
    """Collects what is owed for one batch, and what could not be settled of earlier ones; for one thread.

    Args:
        ledger: of the inbox.
        clock: time.

    Attributes:
        outcomes: what the ledger is to be told.
        left: what is to be remembered of originals that wait, by row.
        copied: intents whose copies may have a hidden name.
        syncs: of folders that were made.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self.outcomes: Owed = {}
        self.left: dict[int, Left] = {}
        self.copied: list[Intent] = []
        self.syncs = Syncs()

    def placed(self, source: Path, target: Path, mode: Mode) -> None:
        """Owe the syncs of a photo that was placed."""
        if mode is not Mode.SYMLINK:  # which has no data of its own
            self.syncs.owe_file(target)
        self.syncs.owe_folder(os.path.split(target)[0])
        if mode is Mode.MOVE:
            self.syncs.owe_folder(os.path.split(source)[0])

    def settle(self, *, far: bool, heartbeat: Heartbeat) -> None:
        """Sync, conclude and tidy, in this order; OSError or sqlite3.Error if it cannot be done now.

        Args:
            far: photos lie on a share, or come from one.
            heartbeat: where it is noted that this gets on.
        """
        self.syncs.settle(far=far, heartbeat=heartbeat)
        if self.outcomes:
            self._ledger.conclude(self.outcomes, self._clock.wall_s(), self.left)
            self.outcomes.clear()
            self.left.clear()
        each(self.copied, remove_hidden_name, FAR_TOGETHER if far else 1, "tidy", heartbeat)
        self.copied.clear()
