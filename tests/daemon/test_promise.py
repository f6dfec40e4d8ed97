"""Short forms of the long proofs in benchmarks/promise, which docs/promise.md names; see there what they look at."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.promise.faults import faults
from benchmarks.promise.fuzz import fuzz, names
from benchmarks.promise.kills import CALLS, kills_at_calls, random_kills
from benchmarks.promise.labels.storms import storms
from benchmarks.promise.moving import (
    Moving,
    again,
    bulk_filing,
    killed_at_calls,
    moved_under_starts,
    refiling,
    sort,
    start_up,
    undoing,
    undoing_a_refiling,
)
from benchmarks.promise.soak import soak
from benchmarks.promise.world import BrokenError, World

Tell = Callable[[str], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_kills_at_random_moments_lose_and_double_nothing(world: World) -> None:
    counts = random_kills(world, 5, seed=1, tell=print)
    assert counts["kills"] == 5
    assert counts["photos"] >= 50


@pytest.mark.system("strace")
@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
def test_kills_at_system_calls_lose_and_double_nothing_in_modes_that_leave_the_original(
    tmp_path: Path, mode: str
) -> None:
    world = World(tmp_path, options=("--mode", mode))
    counts = kills_at_calls(world, ("renameat2", "link", "linkat", "symlink", "fsync"), 1, print)
    assert counts["fsync"] == 1


@pytest.mark.system("strace")
def test_a_system_call_that_fails_once_costs_no_photo_and_fails_none(world: World) -> None:
    counts = faults(world, ("openat", "renameat2", "fsync", "pwrite64"), ("EIO", "ENOSPC"), 1, print)
    assert counts["faults"] == 8


WITHOUT_OPENING = tuple(call for call in CALLS if call != "openat")


@pytest.mark.system("strace")
@pytest.mark.parametrize("mode", ["move", "copy"])
def test_a_daemon_that_starts_at_any_system_call_of_an_undo_leaves_its_rows_alone(tmp_path: Path, mode: str) -> None:
    world = World(tmp_path, options=("--mode", mode))
    world.put(range(3))
    sort(world)
    assert moved_under_starts(world, undoing(world), start_up, print, WITHOUT_OPENING)["starts"] >= 25


@pytest.mark.system("strace")
def test_an_undo_killed_at_system_calls_is_settled_by_the_next_start_of_a_daemon(world: World) -> None:
    world.put(range(3))
    sort(world)
    assert killed_at_calls(world, undoing(world), start_up, print, WITHOUT_OPENING, step=5)["kills"] >= 10


@pytest.mark.system("strace")
@pytest.mark.parametrize("command", [refiling, undoing_a_refiling])
def test_a_refiling_and_its_undo_hold_under_kills_and_starts_of_a_daemon(
    world: World, command: Callable[[World], Moving]
) -> None:
    world.put(range(3))
    sort(world)
    one = command(world)
    calls = tuple(call for call in WITHOUT_OPENING if call != "pwrite64")
    assert killed_at_calls(world, one, start_up, print, calls, step=3)["kills"] >= 4
    assert moved_under_starts(world, one, start_up, print, calls)["starts"] >= 10


@pytest.mark.system("strace")
def test_bulk_file_killed_at_system_calls_goes_on_when_it_is_given_again(world: World) -> None:
    pytest.importorskip("pyarrow")
    world.put(range(3))
    one = bulk_filing(world)
    calls = tuple(call for call in WITHOUT_OPENING if call != "pwrite64")
    assert killed_at_calls(world, one, again(one), print, calls, step=15)["kills"] >= 4


def test_mutated_photos_of_every_format_are_filed_failed_or_left_with_a_reason(world: World) -> None:
    counts = fuzz(world, 280, seed=2, tell=print)
    assert counts["filed"] + counts["failed"] + counts["left"] == 280
    assert counts["left"] <= 10


def test_hostile_names_are_kept(world: World) -> None:
    assert names(world, 150, seed=3, tell=print)["names"] == 150


def test_moves_copies_edits_and_kills_beside_a_daemon_make_the_labels_of_the_table_and_lose_nothing(
    world: World,
) -> None:
    counts = storms(world, 4, seed=1, tell=print)
    assert counts["kills"] >= 1
    assert counts["labels"] >= 5


def test_memory_files_and_threads_stay_flat_over_many_photos(world: World) -> None:
    counts = soak(world, 1500, print, moments=10)  # says itself what grew
    assert counts["photos"] == 1500


def test_the_audit_sees_a_lost_a_doubled_and_a_damaged_photo(world: World) -> None:
    world.put(range(3))
    world.check_nothing_lost()
    photo = world.inbox / "0.jpg"
    kept = photo.read_bytes()
    photo.write_bytes(kept[:-1])
    with pytest.raises(BrokenError, match="1 photos are lost"):
        world.check_nothing_lost()
    photo.write_bytes(kept)
    (world.output / "red").mkdir(parents=True)
    (world.output / "red" / "0.jpg").write_bytes(kept)
    with pytest.raises(BrokenError, match="1 are there twice"):
        world.check()
