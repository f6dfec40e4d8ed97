"""A line whose taker waits for company: one that comes alone goes at once, and a backlog goes in few rounds."""

import threading
from dataclasses import replace
from pathlib import Path

from daemon.photo import Photo
from daemon.queues import LARGE_BYTES, BatchingQueue, PriorityQueue
from tests.daemon.support import DEADLINE_S, identity, photo_of, wait_until


def photos(count: int, first: int = 0) -> list[Photo]:
    return [photo_of(Path(f"/in/{number}.jpg"), identity(number)) for number in range(first, first + count)]


def taken(line: BatchingQueue) -> tuple[threading.Thread, list[list[Photo]]]:
    """Take one round in a thread of its own."""
    rounds: list[list[Photo]] = []
    thread = threading.Thread(target=lambda: rounds.append(line.take()))
    thread.start()
    return thread, rounds


def test_a_photo_that_comes_alone_is_taken_at_once() -> None:
    line = BatchingQueue(10, lambda _: False, longest_s=3600.0)
    thread, rounds = taken(line)
    (alone,) = photos(1)
    line.put([alone])
    thread.join(DEADLINE_S)
    assert rounds == [[alone]]


def test_while_more_is_about_to_come_the_taker_waits_until_the_round_is_full_or_nothing_follows() -> None:
    more = threading.Event()
    more.set()
    line = BatchingQueue(3, lambda _: more.is_set(), longest_s=3600.0)
    five = photos(5)
    line.put(five[:1])
    thread, rounds = taken(line)
    line.put(five[1:2])
    thread.join(0.05)
    assert rounds == [], "it did not wait"
    line.put(five[2:4])
    thread.join(DEADLINE_S)
    assert rounds == [five[:3]]
    more.clear()
    line.put(five[4:])
    assert line.take() == five[3:]


def test_what_was_announced_goes_before_what_was_found_and_waits_for_its_like_alone() -> None:
    plain = PriorityQueue(most=1)
    found, announced = photos(3), photos(2, first=3)
    for photo in announced:
        photo.found = replace(photo.found, announced=True)
    plain.put([*found, *announced])
    assert (len(plain), plain.announced()) == (5, 2)
    assert [plain.take()[0] for _ in range(5)] == [*announced, *found]

    line = BatchingQueue(10, lambda urgent: not urgent, longest_s=3600.0)
    line.put(found)
    thread, rounds = taken(line)
    thread.join(0.05)
    assert rounds == []
    line.put(announced[:1])
    thread.join(DEADLINE_S)
    assert rounds == [[announced[0], *found]]


def test_of_more_than_a_round_takes_what_was_announced_goes_first() -> None:
    line = BatchingQueue(2, lambda _: False, longest_s=0.0)
    found, announced = photos(3), photos(1, first=3)
    announced[0].found = replace(announced[0].found, announced=True)
    line.put([*found, *announced])
    assert [line.take() for _ in range(2)] == [[announced[0], found[0]], found[1:]]


def test_a_large_photo_goes_alone_once_no_smaller_one_waits_and_a_film_goes_where_its_photo_does() -> None:
    line = BatchingQueue(2, lambda _: False, longest_s=0.0)
    large = [
        photo_of(Path(f"/in/{name}"), identity(size=LARGE_BYTES + 1), is_companion=name == "film.mov")
        for name in ("1.tif", "2.tif", "film.mov")
    ]
    small = photos(2)
    line.put([large[0], large[1], small[0], large[2], small[1]])
    line.end()
    assert [line.take() for _ in range(5)] == [[small[0], large[2]], [small[1]], [large[0]], [large[1]], []]


def test_a_photo_is_never_kept_longer_than_the_limit() -> None:
    line = BatchingQueue(3, lambda _: True, longest_s=0.01)
    line.put(photos(1))
    assert len(line.take()) == 1


def test_the_end_comes_behind_all_that_waits_and_to_each_taker() -> None:
    line = BatchingQueue(2, lambda _: True, longest_s=3600.0)
    line.put(photos(3))
    line.end()
    assert [len(line.take()) for _ in range(3)] == [2, 1, 0]
    plain = PriorityQueue(most=2)
    plain.put(photos(3))
    plain.end(2)
    assert [len(plain.take()) for _ in range(4)] == [2, 1, 0, 0]


def test_the_end_wakes_a_taker_that_waits() -> None:
    for line in (
        BatchingQueue(2, lambda _: True, longest_s=3600.0),
        BatchingQueue(2, lambda _: False, longest_s=3600.0),
    ):
        thread, rounds = taken(line)
        line.end()
        wait_until(lambda: bool(rounds), "the end")  # noqa: B023
        thread.join(DEADLINE_S)
        assert rounds == [[]]
