"""The bytes of photos are in memory once, never more than a file had when it settled, and bounded for all readers."""

import os
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from common.errors import PhotoError, Reason
from contract.geometry import MAX_FILE_BYTES, Geometry, Pixels
from daemon.decode import contents
from daemon.decode.budget import SMALL_BYTES, Budget
from daemon.decode.contents import PART_BYTES, hash_whole, read_whole
from daemon.decode.decode import decode_alone, decode_here
from daemon.decode.isolated import NeedsIsolationError, StoppedError
from daemon.photo import Found, Photo
from tests.daemon.support import descriptors, digest, opened_guard, photo_of, plain, wait_until, write

SMALL = Geometry(size_px=32)


def sparse(path: Path, size: int) -> Photo:
    """Return a photo of that many bytes, nearly all of them holes."""
    write(path, plain("red"))
    os.truncate(path, size)
    return photo_of(path)


class Meddler:
    """A decoder in whose room somebody changes the file, after it was looked at and before it is read."""

    def __init__(self, size: int) -> None:
        self.size = size

    def take_room(self, found: Found) -> None:
        os.truncate(found.path, self.size)

    def give_room(self, found: Found) -> None:
        pass

    def pixels(self, found: Found, data: bytes, geometry: Geometry, *, dated: bool) -> tuple[Pixels, datetime | None]:
        raise AssertionError("it was read whole")


@pytest.mark.parametrize("size", [1, 1000, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 5])
def test_a_file_is_read_into_one_buffer_of_its_size(tmp_path: Path, size: int) -> None:
    data = (os.urandom(1000) * (size // 1000 + 1))[:size]
    with write(tmp_path / "a", data).open("rb") as file:
        tracemalloc.start()
        read = read_whole(file.fileno(), size)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read == data
        assert peak < size + 10_000
        assert hash_whole(file.fileno(), size, lambda: None) == digest(data)


@pytest.mark.parametrize("size", [2000, PART_BYTES + 5])
def test_what_a_short_read_leaves_out_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """As a signal cuts reads short on some shares."""
    data = (os.urandom(1000) * (size // 1000 + 1))[:size]
    read, preadv = os.read, os.preadv
    monkeypatch.setattr(os, "read", lambda file, count: read(file, count // 2))
    monkeypatch.setattr(os, "preadv", lambda file, parts, at: preadv(file, [parts[0][: len(parts[0]) // 2 + 1]], at))
    with write(tmp_path / "a", data).open("rb") as file:
        assert read_whole(file.fileno(), size) == data


@pytest.mark.parametrize("now", [10 << 30, 700, 0])
def test_a_file_that_grows_or_shrinks_while_it_is_read_has_changed_and_no_more_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: int
) -> None:
    counts: list[int] = []
    for name in ("read", "preadv"):
        real = getattr(os, name)

        def counted(*arguments: object, real: object = real) -> object:
            got = real(*arguments)  # type: ignore[operator]
            counts.append(got if isinstance(got, int) else len(got))
            return got

        monkeypatch.setattr(contents.os, name, counted)  # type: ignore[attr-defined]
    for size in (1000, 2 * PART_BYTES):
        photo = sparse(tmp_path / "a.jpg", size)
        counts.clear()
        photo.read = decode_here(photo.found, SMALL, 0.0, Meddler(now))
        assert photo.read.fault is not None
        assert photo.read.fault.reason is Reason.CHANGED
        assert max(counts) <= size + 1
        assert sum(counts) <= 2 * (size + 1)


def test_a_file_that_changes_while_it_is_decoded_alone_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = sparse(tmp_path / "a.jpg", 1000)
    with opened_guard(tmp_path / "notes") as guard:

        def meddling(*_: object, **_named: object) -> tuple[Pixels, None]:
            os.truncate(photo.path, 2000)
            return np.zeros((32, 32, 3), np.uint8), None

        monkeypatch.setattr(guard, "decode_isolated", meddling)
        photo.read = decode_alone(photo.found, SMALL, 0.0, guard)
    assert photo.read.pixels is None
    assert photo.read.fault is not None
    assert photo.read.fault.reason is Reason.CHANGED


def test_a_photo_that_is_decoded_alone_is_in_no_memory_of_the_daemon(tmp_path: Path) -> None:
    photo = sparse(tmp_path / "a.jpg", 100 << 20)
    before = descriptors()
    with opened_guard(tmp_path / "notes") as guard:
        tracemalloc.start()
        photo.read = decode_alone(photo.found, SMALL, 0.0, guard)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert photo.read.pixels is not None
    assert photo.read.sha256 == digest(photo.path.read_bytes())
    assert peak < 8 << 20
    assert descriptors() == before


def test_files_of_any_number_of_readers_share_one_budget_and_what_has_no_room_is_decoded_alone(tmp_path: Path) -> None:
    photos = [sparse(tmp_path / f"{number}.jpg", MAX_FILE_BYTES - 1) for number in range(16)]
    with opened_guard(tmp_path / "notes") as guard:
        with ThreadPoolExecutor(16) as readers:
            reads = list(readers.map(lambda photo: decode_here(photo.found, SMALL, 0.0, guard), photos))
        assert all(read.must_be_isolated for read in reads)
        assert all(read.sha256 == "" for read in reads)


def test_small_files_pass_while_large_ones_have_their_half(tmp_path: Path) -> None:
    budget = Budget(8 * SMALL_BYTES)
    with budget.room(4 * SMALL_BYTES):
        with pytest.raises(NeedsIsolationError), budget.room(SMALL_BYTES + 1):
            pass
        with budget.room(SMALL_BYTES), budget.room(SMALL_BYTES), budget.room(SMALL_BYTES), budget.room(SMALL_BYTES):
            pass


def test_a_small_file_waits_until_there_is_room_and_a_stop_wakes_it() -> None:
    budget, got = Budget(SMALL_BYTES), list[str]()

    def reader(name: str) -> None:
        try:
            with budget.room(SMALL_BYTES):
                got.append(name)
        except StoppedError:
            got.append(f"{name} stopped")

    with budget.room(1):
        threads = [threading.Thread(target=reader, args=("first",))]
        threads[0].start()
        assert got == []
    wait_until(lambda: got == ["first"], "the room")
    with budget.room(1):
        threads.append(threading.Thread(target=reader, args=("second",)))
        threads[1].start()
        budget.stop()
        wait_until(lambda: got[1:] == ["second stopped"], "the end of the wait")
    for thread in threads:
        thread.join()


def test_a_photo_that_was_read_gives_its_room_back_however_it_ended(tmp_path: Path) -> None:
    with opened_guard(tmp_path / "notes") as guard:
        for data in (plain("red"), plain("red")[:300], b"", b"no photo"):
            path = write(tmp_path / "a.jpg", data)
            decode_here(photo_of(path).found, SMALL, 0.0, guard)
        assert guard.budget._used == 0
        with pytest.raises(PhotoError), guard.budget.room(10):
            raise PhotoError(Reason.CORRUPT, "")
        assert guard.budget._used == 0
