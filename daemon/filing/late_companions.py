"""Companions that arrive after their photo was filed: they follow the photo to its folder."""

import os
from dataclasses import replace
from pathlib import Path

from common.text import printable
from daemon.files.companion_names import WAITS, companion_name
from daemon.files.confined import leads_astray
from daemon.files.limits import MAX_NAME_BYTES, SAFE_NAME_BYTES
from daemon.files.names import free_name
from daemon.filing.companions import LATE_S
from daemon.filing.destinations import join
from daemon.ledger.ledger import Ledger
from daemon.photo import Outcome, Photo, Rules
from daemon.process.clock import Clock

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class LateCompanions:
    """Companions that could not follow their photo yet; retried with later batches, at growing intervals.

    Each retry costs an intent. Without the intervals, a companion that always fails would add two commits to every
    batch.

    Args:
        clock: time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parts: list[Photo] = []
        self._tries = 0
        self._again_s = 0.0

    def add(self, part: Photo) -> None:
        """Add a companion."""
        self._parts.append(part)

    def due(self) -> list[Photo]:
        """Return the companions that may be retried now."""
        return self._parts if self._clock.monotonic_s() >= self._again_s else []

    def tried(self, late: list[Photo]) -> None:
        """Report which companions were tried; those that were not filed stay for a later retry."""
        if not late:
            return
        left = [part for part in late if part.destination is None and part.outcome is not Outcome.GONE]
        for part in left:
            stay(part)
        tried = {id(part) for part in late}
        self._parts = [*(part for part in self._parts if id(part) not in tried), *left]
        if left:
            self._again_s = self._clock.monotonic_s() + BACK_OFF_S[min(self._tries, len(BACK_OFF_S) - 1)]
        else:
            self._again_s = 0.0
        self._tries = self._tries + 1 if left else 0


def find_photo(part: Photo, ledger: Ledger, output: Path, rules: Rules, now_s: float) -> bool:
    """Give a companion a destination beside the youngest filed photo of its name, if that photo still lies there.

    Args:
        part: the companion.
        ledger: the record of filed photos.
        output: root of the class folders.
        rules: the current decision rules; the companion gets those of its photo.
        now_s: wall time.

    Returns:
        Whether there is such a photo.

    Raises:
        sqlite3.Error: the ledger cannot be read.
    """
    for row, was in reversed(ledger.of_name(part.path.parent, part.path.stem, now_s - LATE_S).items()):
        if os.path.lexists(was.destination) and not leads_astray(was.destination.parent, output):
            longest = SAFE_NAME_BYTES if part.plainness else MAX_NAME_BYTES  # a longer name was refused before
            name = companion_name(part.path, was.source, was.destination, longest)
            join(part, was.destination, free_name(was.destination.parent, name, longest=longest))
            part.follows_row, part.outcome, part.label = row, was.becomes, was.label
            thresholds = {was.label: was.threshold}  # of its photo's model: another model may serve by now
            part.rules = replace(rules, thresholds=thresholds, model=was.model, provider=was.provider)
            part.reason = f"it follows {printable(was.destination.name)}"
            return True
    return False


def stay(part: Photo) -> None:
    """Mark a companion as waiting in the inbox."""
    part.destination, part.follows, part.follows_row = None, None, None
    part.outcome, part.reason = Outcome.LEFT, WAITS
