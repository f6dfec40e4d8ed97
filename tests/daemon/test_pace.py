"""How often the inbox is scanned: not for what waits to be filed, nor for what stays, but for what a scan costs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.files.identity import Identity
from daemon.intake import intake as intake_module
from daemon.intake import retry as retry_module
from daemon.intake.filters import PathFilter
from daemon.intake.intake import Intake
from daemon.intake.retry import ASK_AGAIN_S
from daemon.intake.scanner import RESCAN_MOST_S, RESCAN_S, RESCAN_TIMES_WATCHED
from daemon.intake.settle import Trigger
from daemon.photo import Outcome, Photo
from tests.daemon.support import HandClock, write


class Paced:
    """A watched inbox whose looks take time, by a clock that is turned; what is known to be dealt with stays."""

    def __init__(self, inbox: Path, ignore: tuple[str, ...] = ()) -> None:
        self.inbox, self.clock = inbox, HandClock()
        self.look_s = 0.0
        self.looked: list[str] = []
        self.intake = Intake(
            PathFilter(inbox, ignore=ignore), self.clock, print, watch=True, known=self._known  # type: ignore[arg-type]
        )  # fmt: skip

    def _known(self, path: Path, _: Identity) -> bool:
        self.looked.append(path.name)
        self.clock.turn(self.look_s)
        return path.name.startswith("stays")

    def scan(self) -> list[str]:
        """Go on until a scan is through; returns the names that were looked at."""
        scans, self.looked = self.intake._scanner.scans, []
        while self.intake._scanner.scans == scans:
            self.intake.ready(0, 0.0)
        return self.looked

    def turn_until_scan(self, most_s: float) -> float:
        """Turn the clock until a scan begins and is through; returns how long that took."""
        began_s, scans, self.looked = self.clock.now_s, self.intake._scanner.scans, []
        while self.intake._scanner.scans == scans and self.clock.now_s - began_s < most_s:
            self.clock.turn(0.5)
            self.intake.ready(0, 0.0)
        return self.clock.now_s - began_s

    def ready(self) -> list[Photo]:
        self.intake.ready(0, 0.0)
        self.clock.turn(0.3)
        return self.intake.ready(1000, 0.0)

    def done(self, photos: list[Photo], outcome: Outcome, fault: Reason | None = None) -> None:
        for photo in photos:
            photo.filing.outcome = outcome
            photo.judgement = replace(photo.judgement, fault=PhotoError(fault, "") if fault else None)
            if outcome is Outcome.FILED:
                photo.path.unlink()
        self.intake.done(photos)
        self.intake.ready(0, 0.0)

    def add_unseen(self, name: str) -> Path:
        """Put a file there that no event announces."""
        file = write(self.inbox.parent / f"of {name}", b"x")
        os.link(file, self.inbox / name)
        file.unlink()
        return self.inbox / name


@contextmanager
def paced(inbox: Path, *ignore: str) -> Iterator[Paced]:
    one = Paced(inbox, ignore)
    try:
        yield one
    finally:
        one.intake.close()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def fill(inbox: Path, count: int, name: str) -> None:
    for number in range(count):
        write(inbox / f"{name} {number}.jpg", b"x")


def test_a_scan_that_stood_still_for_hours_while_a_backlog_was_filed_is_followed_by_the_next_at_once(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_WAITING", 8)
    fill(inbox, 40, "old")
    with paced(inbox) as one:
        filed = 0
        while filed < 40:
            photos = one.ready()
            one.clock.turn(600.0)  # each handful takes ten minutes
            one.done(photos, Outcome.FILED)
            filed += len(photos)
        assert not one.intake._scanner.under_way()
        one.add_unseen("new.jpg")
        one.turn_until_scan(RESCAN_S)
        assert one.looked == ["new.jpg"]


def test_what_a_scan_spent_on_photos_that_were_filed_since_does_not_put_off_the_next(inbox: Path) -> None:
    fill(inbox, 400, "old")
    with paced(inbox) as one:
        one.look_s = 0.01
        one.scan()
        one.done(one.ready(), Outcome.FILED)
        one.add_unseen("new.jpg")
        assert one.turn_until_scan(1000.0) < RESCAN_S + 0.5
        assert one.looked == ["new.jpg"]


def test_more_files_that_stay_than_are_remembered_are_not_read_over_and_over(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_module, "MAX_KNOWN", 5)
    fill(inbox, 20, "notes")
    with paced(inbox) as one:
        one.look_s = 1.0
        one.scan()
        one.done(one.ready(), Outcome.LEFT, Reason.FOREIGN)
        for _ in range(5):
            one.turn_until_scan(1000.0)
            assert one.looked == []
        one.intake.hints_lost()
        assert len(one.scan()) > 10
        one.done(one.ready(), Outcome.LEFT, Reason.FOREIGN)
        for _ in range(5):
            one.turn_until_scan(1000.0)
            assert one.looked == []


def test_the_time_inside_a_scan_counts_and_no_scan_is_longer_than_a_minute_away(inbox: Path) -> None:
    fill(inbox, 10, "stays")
    with paced(inbox) as one:
        for look_s, wanted_s in ((0.001, RESCAN_S), (0.03, 30.0), (0.1, RESCAN_MOST_S), (60.0, RESCAN_MOST_S)):
            one.look_s = look_s
            one.intake._retries._known.clear()
            one.intake.hints_lost()  # a scan that looks at all
            assert len(one.scan()) == 10
            assert wanted_s == pytest.approx(min(RESCAN_MOST_S, max(RESCAN_S, RESCAN_TIMES_WATCHED * 10 * look_s)))
            assert one.turn_until_scan(1000.0) == pytest.approx(wanted_s, abs=0.5)


def test_what_stays_is_not_looked_at_each_minute_and_what_is_new_among_it_is(inbox: Path) -> None:
    fill(inbox, 10, "stays")
    fill(inbox, 10, "ignored")
    with paced(inbox, "ignored*") as one:
        one.look_s = 1.0
        assert len(one.scan()) == 10
        for number in range(3):
            one.add_unseen(f"stays too {number}.jpg")
            assert one.turn_until_scan(1000.0) < RESCAN_MOST_S + 2
            assert one.looked == [f"stays too {number}.jpg"]
        one.looked = []
        while not one.looked:  # the scan that looks at all comes, too
            one.turn_until_scan(RESCAN_MOST_S + 2)
        assert len(one.looked) == 13
        assert one.clock.now_s - 1_000 < 2 * RESCAN_TIMES_WATCHED * 10


def test_what_stayed_and_was_changed_is_tried_again_as_often_as_any_other(inbox: Path) -> None:
    fill(inbox, 10, "stays")
    path = write(inbox / "notes.jpg", b"x")
    with paced(inbox) as one:
        one.look_s = 1.0
        one.scan()
        one.done(one.ready(), Outcome.LEFT, Reason.FOREIGN)
        one.clock.turn(ASK_AGAIN_S)
        one.intake.hints_lost()
        one.scan()
        assert one.intake._scanner.staying.has(str(inbox), "notes.jpg", path.stat().st_ino)
        write(path, b"now half of a photo")
        one.intake.hint(path, Trigger.CLOSED)
        photos = one.ready()
        assert [photo.path for photo in photos] == [path]
        one.done(photos, Outcome.AGAIN, Reason.TRUNCATED)
        one.clock.turn(3.0)
        assert [photo.path for photo in one.ready()] == [path]
