"""What the board knows: counts, rates, stage times, states and what waits; time is turned by hand."""

from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.commands.status import exit_code
from daemon.intake.retry import Retries
from daemon.intake.settle import Settler, Trigger
from daemon.intake.troubles import InboxTroubles
from daemon.photo import Judgement, Outcome, Photo
from daemon.queues import Waiting
from daemon.status import monitor as board_module
from daemon.status.counters import BOUNDS_S, Counters
from daemon.status.monitor import Monitor, Sources
from daemon.status.snapshot_parts import LastError, State
from daemon.status.status_line import lasting, status_line
from tests.daemon.support import HandClock, identity, photo_of, write


def photo(outcome: Outcome = Outcome.FILED, label: str = "sea", **times_ms: float) -> Photo:
    one = photo_of(Path("/in/a.jpg"), identity(), outcome=outcome, label=label, folder=label)
    one.times_ms = times_ms
    return one


def monitor(clock: HandClock, phase: str = "ready", device: str = "auto") -> Monitor:
    one = Monitor(clock, lambda _: -1, device=device)  # type: ignore[arg-type]
    one.enter(State(phase))
    return one


def test_rates_are_those_of_the_last_minute_and_of_the_last_ten() -> None:
    tally = Counters(1000.0)
    for second in range(1000, 1600):
        tally.add([photo()] * 2, float(second), 0.0)
    assert tally.counts(1600.0).rates == pytest.approx({"60s": 2.0, "600s": 2.0}, rel=0.1)
    assert tally.counts(1660.0).rates == pytest.approx({"60s": 0.0, "600s": 1.8}, rel=0.1)
    assert tally.counts(5000.0).rates == {"60s": 0.0, "600s": 0.0}


def test_a_young_process_is_not_measured_by_time_before_it_began() -> None:
    tally = Counters(1000.0)
    tally.add([photo()] * 100, 1005.0, 0.0)
    assert tally.counts(1010.0).rates == pytest.approx({"60s": 10.0, "600s": 10.0})


def test_each_photo_is_counted_once_under_its_outcome_and_companions_beside_it() -> None:
    tally = Counters(0.0)
    bad = photo(Outcome.FAILED)
    bad.judgement = Judgement(fault=PhotoError(Reason.TRUNCATED, "half"))
    bad.filing.reason = "truncated: half"
    follower = photo()
    follower.filing.follows, follower.filing.follows_row = Path("/in/b.jpg"), 7
    known = photo(label="street")
    known.judgement = Judgement(label="sea", said="street")  # the model said something else
    tally.add([photo(), known, bad, photo(Outcome.LEFT), follower], 1.0, 77.0)
    counts = tally.counts(1.0)
    assert counts.outcomes == {"filed": 2, "failed": 1, "left": 1, "companion": 1}
    assert counts.classes == {"sea": 1, "street": 1}
    assert (counts.failures, counts.known) == ({"truncated": 1}, 1)
    assert counts.last_error == LastError(77.0, "a.jpg: truncated: half")
    assert (counts.last_filed_at_s, tally.filed()) == (77.0, 2)
    tally.add([bad, photo(Outcome.LEFT), photo(Outcome.DUPLICATE)], 2.0, 88.0)
    assert tally.counts(2.0).last_filed_at_s == 77.0


def test_a_time_falls_into_the_bucket_that_ends_at_it_and_into_all_longer_ones() -> None:
    tally = Counters(0.0)
    tally.add([photo(decode=1.0), photo(decode=1.1), photo(decode=1e6)], 1.0, 0.0)
    decode = tally.counts(1.0).stages["decode"]
    assert decode.count == 3
    assert decode.sum_s == pytest.approx(1000.0021)
    counts = list(decode.up_to_s.values())
    assert counts == [1, *[2] * (len(BOUNDS_S) - 1), 3]
    assert tally.counts(1.0).stages["infer"].count == 0


def test_it_is_degraded_where_a_gpu_was_hoped_for_and_the_cpu_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "DRIVER", tmp_path / "driver")
    one, asked_for_cpu = monitor(HandClock()), monitor(HandClock(), device="cpu")
    for each in (one, asked_for_cpu):
        each.serves(Path("m"), "0", ("sea",), "cpu", "onnxruntime could not use it")
        assert each.state() == ("ready", "")
    write(tmp_path / "driver", b"")
    assert one.state() == ("degraded", "onnxruntime could not use it")
    assert asked_for_cpu.state() == ("ready", "")
    one.serves(Path("m"), "0", ("sea",), "cuda", "")
    assert one.state() == ("ready", "")


def test_what_is_worst_is_the_state() -> None:
    clock = HandClock()
    one = monitor(clock, "starting")
    assert one.state() == ("starting", "")
    assert one.waits_for_mount("nothing is mounted")
    assert not one.waits_for_mount("nothing is mounted")
    assert one.state() == ("paused", "nothing is mounted")
    one.waits_for_mount("")
    one.enter(State.READY)
    one.sources = Sources(troubles=lambda: InboxTroubles("its marker is gone", ("no watch can be had",)))
    assert one.state() == ("paused", "its marker is gone")
    assert one.snapshot().notes == ("no watch can be had",)
    one.stage("file").begin()
    clock.turn(1000.0)
    assert one.state()[0] == "stuck"
    one.stage("file").end()
    one.enter(State.STOPPING)
    assert one.state() == ("stopping", "")


def test_the_line_says_what_waits_and_holds_nothing_unprintable() -> None:
    clock = HandClock()
    one = monitor(clock)
    one.sources = Sources(
        waiting=lambda: Waiting(4096, more=True, since_s=clock.now_s - 90_000.0),
        paused=lambda: "the output \x1b[2J is full",
    )
    assert status_line(one.snapshot()) == (
        r"paused: the output \x1b[2J is full; 0 filed, 4,096 or more waiting, oldest 25.0 h"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 s"), (9.96, "10.0 s"), (119.0, "119 s"), (120.0, "2 min"), (7200.0, "2.0 h"), (200_000.0, "2.3 days")],
)
def test_a_time_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_a_photo_that_is_tried_again_waits_since_it_was_first_seen(tmp_path: Path) -> None:
    retries = Retries(for_ever=True)
    one = photo_of(tmp_path / "a.jpg", identity(), noticed_s=5.0, outcome=Outcome.AGAIN)
    retries.record(one, 10.0)
    retries.record(one, 20.0)
    retries.record(photo_of(tmp_path / "b.txt", identity(), noticed_s=5.0, outcome=Outcome.LEFT), 1.0)
    assert retries.waiting(10) == ({one.path}, 10.0)


def test_what_settles_waits_since_it_was_noticed(tmp_path: Path) -> None:
    settler = Settler()
    settler.see(tmp_path / "a.jpg", identity(), Trigger.FOUND, 3.0)
    settler.see(tmp_path / "a.jpg", identity(size=11), Trigger.CLOSED, 8.0)
    assert list(settler.since_s().values()) == [3.0]


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["ready"], 0), (["ready", "ready"], 0), (["degraded"], 3), (["degraded", "ready"], 3), (["paused"], 1),
        (["stuck", "degraded"], 1), (["degraded", "not running"], 1), (["ready", "starting"], 1),
        (["ready", "ended"], 0), (["degraded", "ended"], 3), (["ended", "not running"], 1), (["ended"], 1),
    ],
)  # fmt: skip
def test_the_exit_code_of_status_is_that_of_the_worst_daemon(states: list[str], code: int) -> None:
    assert exit_code(states) == code
