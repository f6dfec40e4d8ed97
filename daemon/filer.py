"""The last stage: decide, write the intent, move, sync, write the outcome - once per batch, not per photo."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contract.errors import Reason
from contract.publish import sync_directory
from contract.text import printable
from daemon.clock import Clock
from daemon.decide import Verdict, decide, decide_fault
from daemon.filing import SourceChangedError, free_name, sync_file
from daemon.intent import Intent
from daemon.ledger import Ledger
from daemon.modes import place, why_not
from daemon.photo import Mode, Outcome, Photo
from daemon.scan import MARKER
from daemon.why import write_why

OUTPUT_AWAY = f"the output has lost its marker {MARKER}: mount it, or restart phototriage if you made the folder anew"
TOP = 5
"""How many of the most probable classes the ledger keeps."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By what photos are judged.

    Attributes:
        labels: the model's, in order.
        thresholds: probability per label below which a photo wants review.
        give_up_after_s: how long an unreadable photo must stay unchanged before it is failed.
        model: SHA-256 of the model file.
        provider: where it runs.
        mode: how photos are filed.
    """

    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    give_up_after_s: float
    model: str
    provider: str
    mode: Mode = Mode.MOVE


class Filer:
    """Moves judged photos from the inbox into the output; used by one thread.

    Args:
        output: root of the class folders.
        ledger: where intents and outcomes go.
        rules: by what to judge.
        clock: time, for the ledger.
    """

    def __init__(self, output: Path, ledger: Ledger, rules: Rules, clock: Clock) -> None:
        self._output = output
        self._ledger = ledger
        self._rules = rules
        self._clock = clock
        self._owed: dict[int, Outcome | None] = {}
        self._unsynced: dict[Path, Callable[[Path], None]] = {}

    def file(self, photos: list[Photo]) -> None:
        """Judge a batch and move what is to be moved; afterwards each photo's `outcome` says what became of it."""
        started_s = self._clock.monotonic_s()
        folders = {id(photo): self._judge(photo).folder for photo in photos}
        waiting = [photo for photo in photos if folders[id(photo)]]
        while waiting:  # again for those whose free name was taken by somebody else meanwhile
            waiting = self._attempt(waiting, folders)
        for photo in photos:
            photo.times_ms["file"] = 1e3 * (self._clock.monotonic_s() - started_s)

    def settle_debts(self) -> None:
        """Sync and conclude what could not be before; OSError or sqlite3.Error if it still cannot."""
        for path in list(self._unsynced):
            with suppress(FileNotFoundError, NotADirectoryError):  # its owner took it further: nothing of ours is left
                self._unsynced[path](path)
            del self._unsynced[path]
        if self._owed:
            self._ledger.conclude(self._owed, self._clock.wall_s())
            self._owed.clear()

    def _judge(self, photo: Photo) -> Verdict:
        rules = self._rules
        if photo.scores is not None:
            verdict = decide(photo.scores, rules.labels, rules.thresholds)
        elif photo.fault is not None:
            unchanged_s = max(photo.unchanged_s, photo.waited_s)
            verdict = decide_fault(photo.fault, unchanged_s, rules.give_up_after_s)
            if photo.fault.reason is not Reason.UNREADABLE:  # which no time mends: its tries just get rarer
                photo.again_within_s = max(0.05, rules.give_up_after_s - unchanged_s)
        else:
            verdict = Verdict(Outcome.AGAIN, "", reason="the daemon was stopped first")
        photo.outcome, photo.reason = verdict.outcome, verdict.reason
        photo.label, photo.probability = verdict.label, verdict.probability
        return verdict

    def _attempt(self, photos: list[Photo], folders: Mapping[int, str]) -> list[Photo]:
        """Carry one batch through the protocol; returns those that must try another name."""
        planned = self._plan(photos, folders)
        try:
            self.settle_debts()
            rows = self._ledger.intend([self._intent(photo) for photo in planned], self._clock.wall_s())
        except (OSError, sqlite3.Error) as error:
            for photo in planned:
                _postpone(photo, f"the ledger cannot be written, or what was filed before not be made safe ({error})")
            return []
        taken = []
        for row, photo in zip(rows, planned, strict=True):
            self._owed[row] = self._place(photo)
            if photo.destination is None and photo.outcome not in (Outcome.AGAIN, Outcome.GONE):
                taken.append(photo)
        try:
            self.settle_debts()
        except (OSError, sqlite3.Error) as error:
            for photo in planned:
                photo.reason = photo.reason or f"filed, but not yet safe from a power cut ({error})"
        return taken

    def _plan(self, photos: list[Photo], folders: Mapping[int, str]) -> list[Photo]:
        """Give each photo a free destination; those whose folder cannot be made stay."""
        promised: set[Path] = set()
        planned: list[Photo] = []
        obstacle = self._output_obstacle()
        if obstacle:
            for photo in photos:
                _postpone(photo, obstacle)
            return planned
        for photo in photos:
            folder = self._output / folders[id(photo)]
            try:
                self._make(folder)
                photo.destination = free_name(folder, photo.path.name, promised.__contains__)
            except OSError as error:
                _postpone(photo, f"{printable(folder)} cannot be used ({error.strerror})")
                continue
            promised.add(photo.destination)
            planned.append(photo)
        return planned

    def _output_obstacle(self) -> str:
        """Say why nothing can be filed now: a mount that is away would hide what is filed into its bare folder."""
        try:
            (self._output / MARKER).stat()
        except FileNotFoundError:
            return OUTPUT_AWAY
        except OSError as error:
            return f"the output cannot be used ({error.strerror})"
        return ""

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir()
            self._unsynced[folder.parent] = sync_directory

    def _intent(self, photo: Photo) -> Intent:
        assert photo.destination is not None
        top = {}
        if photo.scores is not None:
            order = photo.scores.argsort()[::-1][:TOP]
            top = {self._rules.labels[index]: round(float(photo.scores[index]), 6) for index in order}
        return Intent(
            becomes=photo.outcome,
            source=photo.path,
            destination=photo.destination,
            identity=photo.identity,
            sha256=photo.sha256,
            label=photo.label,
            probability=photo.probability,
            top=top,
            threshold=self._rules.thresholds.get(photo.label, 0.0),
            reason=photo.reason,
            model=self._rules.model,
            provider=self._rules.provider,
            times_ms=photo.times_ms,
            mode=self._rules.mode,
            held=None if self._rules.mode is Mode.MOVE else photo.path,
        )

    def _place(self, photo: Photo) -> Outcome | None:
        """Bring one photo to its destination; returns the outcome for the ledger, None if nothing was done."""
        target, mode = photo.destination, self._rules.mode
        assert target is not None
        try:
            place(mode, photo.path, photo.identity, photo.sha256, target)
        except FileExistsError:
            photo.destination = None
            return None
        except SourceChangedError:
            photo.destination, photo.outcome, photo.reason = None, Outcome.GONE, "it changed before it was filed"
            return None
        except OSError as error:
            _postpone(photo, why_not(mode, target, error))
            return None
        photo.stays = mode is not Mode.MOVE
        self._owe_syncs(photo.path, target)
        if photo.outcome is Outcome.FAILED:
            self._explain(photo, target)
        return photo.outcome

    def _owe_syncs(self, source: Path, target: Path) -> None:
        if self._rules.mode is not Mode.SYMLINK:  # which has no data of its own
            self._unsynced[target] = sync_file
        self._unsynced[target.parent] = sync_directory
        if self._rules.mode is Mode.MOVE:
            self._unsynced[source.parent] = sync_directory

    def _explain(self, photo: Photo, target: Path) -> None:
        """Put the reason beside a failed photo. That it stands in the ledger too makes a failure here bearable."""
        try:
            write_why(target, photo.path.name, photo.reason)
        except OSError as error:
            photo.reason += f" (and no note could be written: {error.strerror})"


def _postpone(photo: Photo, reason: str) -> None:
    photo.destination, photo.outcome, photo.reason = None, Outcome.AGAIN, reason
