"""What stays in the inbox is tried again, in growing steps, and neither for ever in one pass nor in a hot loop."""

from math import inf
from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.files.identity import Identity
from daemon.intake.retry import MAX_KNOWN, TRIES_OF_ONE_PASS, Retries
from daemon.photo import Outcome, Photo
from tests.daemon.support import identity, photo_of

PATH = Path("/inbox/a.jpg")
SAME = identity()


def photo(
    outcome: Outcome, who: Identity = SAME, reason: Reason | None = None, within_s: float = inf, path: Path = PATH
) -> Photo:
    fault = PhotoError(reason, "") if reason else None
    return photo_of(path, who, outcome=outcome, fault=fault, again_within_s=within_s)


def test_each_try_waits_longer_up_to_a_limit() -> None:
    retries, now_s = Retries(for_ever=True), 100.0
    waits = []
    for _ in range(6):
        again_s = retries.record(photo(Outcome.AGAIN), now_s)
        assert again_s is not None
        assert not retries.may_try(PATH, identity(), again_s - 0.001)
        assert retries.may_try(PATH, identity(), again_s)
        waits.append(again_s - now_s)
        now_s = again_s
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_the_last_try_comes_when_its_time_is_up_not_later() -> None:
    retries = Retries(for_ever=True)
    assert retries.record(photo(Outcome.AGAIN, reason=Reason.TRUNCATED, within_s=0.3), 100.0) == 100.3


def test_a_changed_file_is_tried_at_once_and_its_waiting_begins_anew() -> None:
    retries = Retries(for_ever=True)
    retries.record(photo(Outcome.AGAIN, reason=Reason.TRUNCATED), 100.0)
    assert retries.waited_s(PATH, identity(), 130.0) == 30.0
    assert retries.may_try(PATH, identity(size=11), 100.0)
    assert retries.waited_s(PATH, identity(size=11), 130.0) == 0.0
    assert retries.record(photo(Outcome.AGAIN, identity(size=11), Reason.TRUNCATED), 130.0) == 131.0
    assert retries.waited_s(PATH, identity(size=11), 140.0) == 10.0


def test_what_is_none_of_ours_is_left_until_it_changes() -> None:
    retries = Retries(for_ever=True)
    assert retries.record(photo(Outcome.LEFT, reason=Reason.FOREIGN), 100.0) is None
    assert not retries.may_try(PATH, identity(), 1e9)
    assert retries.may_try(PATH, identity(mtime_ns=6), 100.0)
    assert not retries.pending()


@pytest.mark.parametrize("outcome", [Outcome.FILED, Outcome.FAILED, Outcome.REVIEW, Outcome.GONE])
def test_what_has_left_the_inbox_is_forgotten(outcome: Outcome) -> None:
    retries = Retries(for_ever=True)
    retries.record(photo(Outcome.AGAIN), 100.0)
    assert retries.record(photo(outcome), 101.0) is None
    assert not retries.pending()
    assert retries.may_try(PATH, identity(), 101.0)


@pytest.mark.parametrize("reason", [None, Reason.UNREADABLE])
def test_one_pass_gives_up_an_obstacle_after_a_few_tries(reason: Reason | None) -> None:
    retries, now_s = Retries(for_ever=False), 100.0
    for _ in range(TRIES_OF_ONE_PASS - 1):
        again_s = retries.record(photo(Outcome.AGAIN, reason=reason), now_s)
        assert again_s is not None
        assert retries.pending()
        now_s = again_s
    assert retries.record(photo(Outcome.AGAIN, reason=reason), now_s) is None
    assert not retries.pending()
    assert not retries.may_try(PATH, identity(), 1e9)


def test_one_pass_waits_for_what_may_still_be_growing() -> None:
    retries, now_s = Retries(for_ever=False), 100.0
    for _ in range(20):
        again_s = retries.record(photo(Outcome.AGAIN, reason=Reason.TRUNCATED), now_s)
        assert again_s is not None
        now_s = again_s
    assert retries.pending()


def test_what_was_taken_away_meanwhile_is_dropped_once_its_time_has_come() -> None:
    retries = Retries(for_ever=False)
    retries.record(photo(Outcome.AGAIN), 100.0)

    def forget(path: Path) -> None:
        retries.forget(path, 101.0)

    retries.look_at_overdue(100.5, forget)
    assert retries.pending()
    retries.look_at_overdue(101.0, lambda _: None)
    assert retries.pending()
    retries.look_at_overdue(101.0, forget)
    assert not retries.pending()


def test_memory_does_not_grow_with_what_is_left_lying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.intake.retry.MAX_KNOWN", 10)
    assert MAX_KNOWN > 10
    retries = Retries(for_ever=True)
    for number in range(25):
        retries.record(photo(Outcome.AGAIN, path=Path(f"/inbox/{number}")), 100.0)
    known = [number for number in range(25) if not retries.may_try(Path(f"/inbox/{number}"), identity(), 100.0)]
    assert known == list(range(15, 25))


def test_what_was_dealt_with_is_left_alone_until_the_ledger_says_otherwise() -> None:
    known, asked = {PATH: True}, list[Path]()

    def ask(path: Path, _: Identity) -> bool:
        asked.append(path)
        return known[path]

    retries = Retries(for_ever=True, known=ask)
    for now_s in (0.0, 1.0, 59.0):
        assert not retries.may_try(PATH, identity(), now_s)
    assert asked == [PATH]
    assert not retries.pending()
    assert not retries.may_try(PATH, identity(), 60.0)
    known[PATH] = False
    assert not retries.may_try(PATH, identity(), 119.0)
    assert retries.may_try(PATH, identity(), 120.0)
    assert retries.may_try(PATH, identity(mtime_ns=9), 61.0)


def test_an_original_that_was_copied_is_left_alone_until_the_ledger_says_otherwise() -> None:
    retries = Retries(for_ever=True, known=lambda *_: False)
    copied = photo_of(PATH, identity(), outcome=Outcome.FILED, stays=True)
    assert retries.record(copied, 0.0) is None
    assert not retries.pending()
    assert not retries.may_try(PATH, identity(), 59.0)
    assert retries.may_try(PATH, identity(), 60.0)
