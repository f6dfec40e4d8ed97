"""Where each step waits for a share, many photos go at once, rounds are short, and a stop is not kept waiting."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.files.limits import is_taken
from daemon.filing import modes
from daemon.filing import plan as plan_module
from daemon.filing import transfers as transfers_module
from daemon.filing.filer import STOP_S
from daemon.filing.move import MoveResult
from daemon.filing.transfers import IN_ONE_FOLDER
from daemon.intake.remembered import Remembered
from daemon.ledger.movers import Mover
from daemon.photo import STOPPED, Filing, Outcome, Photo
from daemon.process.heartbeat import HOPELESS_S, STUCK_S, Heartbeat
from daemon.process.parallel import SHARE_TOGETHER, for_each
from daemon.queues import LEAST_TOGETHER, ROUND_S, BatchingQueue
from daemon.status import report as report_module
from daemon.status.report import Report
from tests.colour_model import LABELS
from tests.daemon.support import (
    DEADLINE_S,
    HandClock,
    companion,
    identity,
    opened_filer,
    opened_ledger,
    photo_of,
    roots,
    scored,
    tree,
    unique,
    write,
)

Place = Callable[..., MoveResult]


class Places:
    """Stands in for the move of one photo: does something first, and keeps who moved what how many at a time."""

    def __init__(self, before: Callable[[Path], object] = lambda _: None) -> None:
        self.before = before
        self.threads: set[str] = set()
        self.names: list[str] = []
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._real: Place = modes.transfer

    def __call__(
        self, mode: object, source: Path, identity: object, sha256: str, target: Path, *more: object
    ) -> MoveResult:
        folder = target.parent.name
        with self._lock:
            self.threads.add(threading.current_thread().name)
            self.names.append(source.name)
            for key in (folder, "all"):
                self._now[key] += 1
                self.most[key] = max(self.most[key], self._now[key])
        try:
            self.before(source)
            return self._real(mode, source, identity, sha256, target, *more)
        finally:
            with self._lock:
                self._now.subtract((folder, "all"))


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    one = Places()
    monkeypatch.setattr(transfers_module, "transfer", one)
    return one


def photos(
    inbox: Path, count: int, *, on_share: bool, colours: tuple[str, ...] = ("red",), folders: int = 1
) -> list[Photo]:
    found = []
    places = [inbox, *(inbox / str(number) for number in range(1, folders))]
    for place in places[1:]:
        place.mkdir()
    for number in range(count):
        colour = colours[number * len(colours) // count]  # all of a colour, then all of the next
        photo = scored(write(places[number % folders] / f"{number}.jpg", unique(colour, number)), colour)
        photo.found = replace(photo.found, on_share=on_share)
        found.append(photo)
    return found


def all_filed(one: list[Photo], output: Path, ledger: Path) -> None:
    assert [photo.filing.outcome for photo in one] == len(one) * [Outcome.FILED]
    assert len(tree(output)) == len(one)
    with opened_ledger(ledger) as opened:
        states = opened._connection.execute("SELECT DISTINCT state FROM photos").fetchall()
    assert [tuple(state) for state in states] == [("filed",)]


def test_photos_from_a_share_are_moved_many_at_once(tmp_path: Path, places: Places) -> None:
    inbox, output = roots(tmp_path)
    together = threading.Barrier(SHARE_TOGETHER, timeout=DEADLINE_S)
    places.before = lambda _: together.wait()
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(one := photos(inbox, 2 * SHARE_TOGETHER, on_share=True, folders=SHARE_TOGETHER // IN_ONE_FOLDER))
    all_filed(one, output, tmp_path / "l")


def test_into_or_out_of_one_folder_of_a_share_few_go_at_once_and_folders_take_turns(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.files.marker.is_on_share", lambda _: True)
    inbox, output = roots(tmp_path)
    together = threading.Barrier(IN_ONE_FOLDER * len(LABELS), timeout=DEADLINE_S)
    places.before = lambda _: together.wait()
    count = 2 * IN_ONE_FOLDER * len(LABELS)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(one := photos(inbox, count, on_share=False, colours=LABELS))
        all_filed(one, output, tmp_path / "l")
        assert max(places.most[label] for label in LABELS) <= count // len(LABELS)
        places.most.clear()
        more = threading.Barrier(IN_ONE_FOLDER + 1, timeout=0.2)

        def wait_for_one_more(_: Path) -> None:
            with suppress(threading.BrokenBarrierError):
                more.wait()

        places.before = wait_for_one_more
        filer.file(photos(inbox, 5 * IN_ONE_FOLDER, on_share=False))
        monkeypatch.setattr(filer._marker, "on_share", False)
        filer.file(photos(inbox, 5 * IN_ONE_FOLDER, on_share=True, colours=LABELS))
    assert places.most["all"] <= IN_ONE_FOLDER


def test_on_this_machine_one_goes_after_the_other_in_the_filers_own_thread(tmp_path: Path, places: Places) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(one := photos(inbox, 40, on_share=False))
    all_filed(one, output, tmp_path / "l")
    assert places.threads == {threading.current_thread().name}
    assert places.names == [photo.path.name for photo in one]


def test_a_companion_goes_after_its_photo_by_the_same_thread(tmp_path: Path, places: Places) -> None:
    inbox, output = roots(tmp_path)
    one = photos(inbox, 20, on_share=True)
    parts = [companion(write(photo.path.with_suffix(".xmp"), photo.path.name.encode())) for photo in one]
    with opened_filer(output, tmp_path / "l") as filer:
        for part in parts:
            filer._companions.add(part)
        filer.file(one)
    for photo in one:
        names = [name for name in places.names if name.startswith(f"{photo.path.stem}.")]
        assert names == [photo.path.name, f"{photo.path.stem}.xmp"]
    assert tree(inbox) == {}


@pytest.mark.parametrize("on_share", [True, False])
def test_what_has_not_begun_when_the_daemon_is_to_end_stays_in_the_inbox_and_is_no_open_intent(
    tmp_path: Path, places: Places, on_share: bool
) -> None:
    inbox, output = roots(tmp_path)
    clock = HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:

        def stop_in_the_middle(source: Path) -> None:
            if source.name == "30.jpg":
                filer.stop()
                clock.turn(0.0 if on_share else STOP_S)

        places.before = stop_in_the_middle
        filer.file(one := photos(inbox, 60, on_share=on_share))
        later = photos(inbox, 60, on_share=on_share)[59:]
        filer.file(later)
    filed = [photo for photo in one if photo.filing.outcome is Outcome.FILED]
    stay = [photo for photo in one if photo.filing.outcome is Outcome.AGAIN]
    assert len(filed) + len(stay) == 60
    assert 31 <= len(filed) <= 30 + SHARE_TOGETHER
    assert later[0].filing.outcome is Outcome.AGAIN
    assert len(tree(output)) == len(filed)
    with opened_ledger(tmp_path / "l") as ledger:
        assert not ledger.open_intents(Mover.DAEMON)


def test_on_this_machine_what_was_read_is_still_filed_within_a_second_of_the_stop(
    tmp_path: Path, places: Places
) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.stop()
        filer.file(one := photos(inbox, 60, on_share=False))
    all_filed(one, output, tmp_path / "l")


@pytest.mark.parametrize("on_share", [True, False])
def test_a_round_that_takes_hours_is_not_stuck_while_it_gets_on(
    tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch, on_share: bool
) -> None:
    monkeypatch.setattr(transfers_module, "SHARE_TOGETHER", 2)
    inbox, output = roots(tmp_path)
    clock, hangs = HandClock(), threading.Event()
    in_step = threading.Barrier(2 if on_share else 1, timeout=DEADLINE_S)
    stuck: dict[bool, list[object]] = {False: [], True: []}
    with opened_filer(output, tmp_path / "l", clock) as filer:

        def slow(source: Path) -> None:
            in_step.wait()
            if source.name == "9.jpg":  # the last one
                hangs.set()
            for _ in range(2):
                clock.turn(2 * HOPELESS_S if source.name == "9.jpg" else 0.9 * STUCK_S / 4)
                found = filer.heartbeat.stuck(clock.now_s, lambda _: 0)
                stuck[hangs.is_set()].append(found)

        places.before = slow
        filer.file(photos(inbox, 10, on_share=on_share))
    assert set(stuck[False]) == {None}
    assert any(stuck[True])


def test_of_a_slow_taker_a_round_gets_fewer_and_of_a_quick_one_as_many_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = HandClock()
    monkeypatch.setattr("daemon.queues.time", SimpleNamespace(monotonic=clock.monotonic_s))
    line = BatchingQueue(128, lambda _: False, longest_s=0.1)
    line.put([photo_of(Path(f"/in/{number}.jpg"), identity(number)) for number in range(1000)])
    rounds = []
    for took_s in (8 * ROUND_S, 2 * ROUND_S, 100.0, 0.1, 0.1, 0.1, 0.1):
        rounds.append(len(line.take()))
        clock.turn(took_s)
    rounds.append(len(line.take()))
    assert rounds == [128, 16, LEAST_TOGETHER, LEAST_TOGETHER, 32, 64, 128, 128]


def test_what_a_helper_meets_is_raised_and_nothing_begins_after_it() -> None:
    done: list[int] = []
    heartbeat = Heartbeat(HandClock().monotonic_s)

    def work(number: int) -> None:
        if number == 3:
            raise ValueError(number)
        done.append(number)

    with pytest.raises(ValueError, match="3"):
        for_each(range(1000), work, 1, "helper", heartbeat)
    assert done == [0, 1, 2]
    together = threading.Barrier(4, timeout=DEADLINE_S)

    def meet(number: int) -> None:
        together.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError(number)

    with pytest.raises(ValueError):
        for_each(range(4), meet, 4, "helper", heartbeat)


def test_names_on_a_share_are_looked_at_together_before_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(SHARE_TOGETHER, timeout=DEADLINE_S)
    asked: list[str] = []

    def meet(path: str) -> bool:
        asked.append(path)
        if len(asked) <= SHARE_TOGETHER:
            together.wait()
        return is_taken(path)

    monkeypatch.setattr(plan_module, "is_taken", meet)
    inbox, output = roots(tmp_path)
    (output / "red").mkdir()
    for number in range(0, SHARE_TOGETHER, 2):
        write(output / "red" / f"{number}.jpg", b"somebody else's")
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(one := photos(inbox, SHARE_TOGETHER, on_share=True))
    assert all(photo.filing.tries == 0 for photo in one), "a name was only found taken by the move"
    assert len(tree(output)) == SHARE_TOGETHER + SHARE_TOGETHER // 2
    assert len(asked) == 2 * SHARE_TOGETHER  # once each, and once more for each second name and its number
    assert (output / "red" / "0-1.jpg").read_bytes() == unique("red", 0)


def test_at_the_end_nobody_waits_for_looks_at_what_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its stop a daemon leaves hundreds of photos of a share unfiled: each look there is a round trip."""
    looked: list[Path] = []

    def look(path: Path) -> bool:
        looked.append(path)
        clock.turn(report_module.LOOK_S / 4)
        return path.name != "1.jpg"

    clock = HandClock()
    report = Report(tmp_path, as_json=True, quiet=True)
    report.waiting = {tmp_path / f"{number}.jpg" for number in range(10)}
    monkeypatch.setattr("os.path.lexists", look)
    monkeypatch.setattr("daemon.status.report.time", SimpleNamespace(monotonic=clock.monotonic_s))
    with closing(report):
        report.summary(once=False)
    assert len(looked) == 4
    assert len(report.waiting) == 10 - (tmp_path / "1.jpg" in looked)
    kept = Remembered()
    stopped = photos(tmp_path, 3, on_share=True)
    for photo in stopped:
        photo.filing = Filing(Outcome.AGAIN, "red", STOPPED)
    kept.keep(stopped)
    assert not kept._photos
