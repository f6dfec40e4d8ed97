"""Companions that arrive after their photo was filed: they follow the photo to its folder."""

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.files.companion_names import WAITS, Rank, candidates, companion_name, is_edited, name_ranges, rank
from daemon.files.confined import leads_astray
from daemon.files.identity import look_at
from daemon.files.limits import MAX_NAME_BYTES, SAFE_NAME_BYTES
from daemon.files.names import free_name
from daemon.filing.companions.replaced import is_kept, kept_name, shows
from daemon.filing.companions.waiting import LATE_S, lies_beside, photo_is_coming
from daemon.filing.destinations import join
from daemon.ledger.held_files import UNCHANGED
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.photo import Judgement, Mode, Outcome, Photo
from daemon.process.clock import Clock, back_off_s


class FiledPhoto(NamedTuple):
    """A filed photo that a companion belongs to.

    Attributes:
        fits: how well.
        row: in the ledger.
        was: the intent that filed it.
    """

    fits: Rank
    row: int
    was: Intent


def filed_photo(companion: Path, ledger: Ledger, output: Path, since_s: float) -> FiledPhoto | None:
    """Return the filed photo that fits a companion best, the youngest of several; None if none lies there any more.

    Args:
        companion: its path.
        ledger: the record of filed photos.
        output: root of the class folders.
        since_s: when it was filed at the earliest.

    Raises:
        sqlite3.Error: the ledger cannot be read.
    """
    found = []
    for row, was in ledger.of_names(companion.parent, name_ranges(companion.name), since_s).items():
        fits = rank(companion.name, was.source.name)
        if fits is not None:
            found.append(FiledPhoto(fits, row, was))
    found.sort(key=lambda photo: (photo.fits, -photo.row))
    return next((photo for photo in found if _lies_there(photo.was.destination, output)), None)


def _lies_there(place: Path, output: Path) -> bool:
    return os.path.lexists(place) and not leads_astray(place.parent, output)


def follow(part: Photo, photo: FiledPhoto, promised: set[Path]) -> None:
    """Give a companion a destination beside its filed photo.

    Args:
        part: the companion.
        photo: its photo.
        promised: destinations of other companions; this one is added.
    """
    was = photo.was
    longest = SAFE_NAME_BYTES if part.filing.plainness else MAX_NAME_BYTES  # a longer name was refused before
    name = companion_name(part.path, was.source, was.destination, longest)
    join(part, was.destination, place := free_name(was.destination.parent, name, promised.__contains__, longest))
    promised.add(place)
    part.filing.follows_row, part.filing.outcome = photo.row, was.becomes
    # Of its photo's model: another model may serve by now.
    part.judgement = Judgement(label=was.label, threshold=was.threshold, model=was.model, provider=was.provider)
    part.filing.reason = f"it follows {printable(was.destination.name)}"


class LateCompanions:
    """Companions that could not follow their photo yet; retried with later batches, at growing intervals.

    Each retry costs an intent. Without the intervals, a companion that always fails would add two commits to every
    batch.

    Args:
        clock: time.
        ledger: the record of filed photos.
        output: root of the class folders.
        mode: how photos are filed.
    """

    def __init__(self, clock: Clock, ledger: Ledger, output: Path, mode: Mode) -> None:
        self._clock = clock
        self._ledger = ledger
        self._output = output
        self._mode = mode
        self._parts: list[Photo] = []
        self._tries = 0
        self._again_s = 0.0

    def add(self, part: Photo) -> None:
        """Add a companion."""
        self._parts.append(part)

    def due(self) -> list[Photo]:
        """Return the companions that may be retried now."""
        return self._parts if self._clock.monotonic_s() >= self._again_s else []

    def is_outranked(self, companion: Path, fits: Rank) -> bool:
        """Tell whether a companion belongs to a photo of a better rank, which is coming or was filed."""
        best = next(candidates(companion.name), None)
        if best is None or best[0] >= fits:
            return False  # as a rule: then nothing is looked up
        if lies_beside(companion, fits):
            return True
        try:
            filed = self._photo_of(companion)
        except sqlite3.Error:  # the ledger cannot be read now, so nothing is filed now
            return False
        return filed is not None and filed.fits < fits

    def find_photo(self, part: Photo, promised: set[Path]) -> bool:
        """Give a companion a destination beside its filed photo; False if there is none, or a new one is coming.

        Args:
            part: the companion.
            promised: destinations of other companions; this one is added.

        Raises:
            sqlite3.Error: the ledger cannot be read.
        """
        photo = self._photo_of(part.path)
        if photo is None or photo_is_coming(part.path, photo.fits, self._ledger.holds):
            return False
        follow(part, photo, promised)
        return self._takes_its_place(part, photo)

    def tell_of(self, parts: list[Photo]) -> None:
        """Choose which of the companions that stay are reported: once, and none whose photo is coming.

        Raises:
            sqlite3.Error: the ledger cannot be read or written now.
        """
        alone = [part for part in parts if not photo_is_coming(part.path, is_held=self._ledger.holds)] if parts else []
        for part in parts:
            part.filing.is_told = True
        for part in self._ledger.newly_lonely(alone) if alone else ():
            part.filing.is_told = False

    def _takes_its_place(self, part: Photo, photo: FiledPhoto) -> bool:
        """Let an edited sidecar replace the one that was filed before; False if that is a link to the very file."""
        before = self._ledger.filed_companions(photo.row, part.path) if is_edited(part.path) else {}
        own = companion_name(part.path, photo.was.source, photo.was.destination)
        # Earlier versions numbered each edit: the one that an editor reads is replaced.
        last = max(before, key=lambda row: (before[row].destination.name == own, row), default=None)
        if last is None or is_kept((was := before[last]).destination):
            return True
        if shows(was.destination, part.path):
            self._ledger.hold(last, part.path, part.found.identity)
            stay(part)
            part.filing.stays, part.filing.reason = True, UNCHANGED
            return False
        found = look_at(was.destination)
        if found is not None and part.filing.tries == 0:
            part.filing.destination = was.destination
            part.filing.replaces = last, kept_name(was.destination, found, last)
            part.filing.reason = f"it replaces the one filed before, which `undo` brings back; {part.filing.reason}"
        return True

    def _photo_of(self, companion: Path) -> FiledPhoto | None:
        since_s = self._clock.wall_s() - LATE_S
        photo = filed_photo(companion, self._ledger, self._output, since_s)
        if photo is None and self._mode is not Mode.MOVE:
            photo = filed_photo(companion, self._ledger, self._output, 0.0)
            if photo is not None and look_at(photo.was.source) != photo.was.identity:
                return None  # the original was taken away or replaced since
        return photo

    def tried(self, late: list[Photo]) -> None:
        """Report which companions were tried; those that were not filed stay for a later retry."""
        if not late:
            return
        left = [part for part in late if part.filing.destination is None and part.filing.outcome is not Outcome.GONE]
        for part in left:
            stay(part)
        tried = {id(part) for part in late}
        self._parts = [*(part for part in self._parts if id(part) not in tried), *left]
        if left:
            self._again_s = self._clock.monotonic_s() + back_off_s(self._tries)
        else:
            self._again_s = 0.0
        self._tries = self._tries + 1 if left else 0


def stay(part: Photo) -> None:
    """Mark a companion as waiting in the inbox."""
    part.filing.keep(Outcome.LEFT, WAITS)
    part.filing.follows, part.filing.follows_row, part.filing.replaces = None, None, None
