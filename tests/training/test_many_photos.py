"""A million photos, two thousand classes: what each photo costs in memory, and that no work grows with its square."""

import tracemalloc
from collections.abc import Callable
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.geometry import Geometry
from training.dataset.cache import decode_all
from training.dataset.digests import Digests
from training.dataset.layout import Photo
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.split import split_groups

MakePhotos = Callable[..., list[Path]]


def grown(work: Callable[[int], object], few: int, many: int) -> float:
    """Bytes at the highest that each further photo takes."""
    return (highest(work, many) - highest(work, few)) / (many - few)


def highest(work: Callable[[int], object], count: int) -> int:
    """The least of some peaks: threads that an earlier test left to a library may take memory meanwhile."""
    peaks = []
    for _ in range(5):
        tracemalloc.start()
        work(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(peaks)


def test_a_photo_of_the_list_is_small_and_gives_its_path() -> None:
    def listed(count: int) -> list[Photo]:
        return [Photo(Path(f"/photos/of/somebody/class/{n:07d}.jpg"), 3) for n in range(count)]

    assert grown(listed, 100, 5000) < 180
    photo = listed(8)[7]
    assert photo.path == Path("/photos/of/somebody/class/0000007.jpg")
    assert (photo.label, photo.split, photo.on("val").split, photo.on("val").path) == (3, "", "val", photo.path)
    assert Photo(Path("alone.jpg"), 0).path == Path("alone.jpg")


def test_what_the_cache_tells_is_small_and_takes_paths_as_they_come(tmp_path: Path, make_photos: MakePhotos) -> None:
    (path,) = make_photos(tmp_path, "red", 1)
    geometry = Geometry(size_px=32)
    decode_all([path], geometry)
    assert grown(lambda count: decode_all(islice(repeat(path), count), geometry), 2000, 8000) < 100


def test_a_digest_is_kept_whole_and_a_missing_one_is_none() -> None:
    whole = bytes(range(31)) + b"\0"
    digests = Digests.of([b"", whole, whole[::-1]])
    assert list(digests) == [b"", whole, whole[::-1]]
    assert list(digests.take(np.array([2, 0]))) == [whole[::-1], b""]
    assert digests[1:] == Digests.of([whole, whole[::-1]])
    assert digests != Digests.of([whole, whole[::-1], b""])


class Counted:
    """Pixels that count how often each is looked at."""

    def __init__(self, count: int) -> None:
        self.seen = np.zeros(count, np.int64)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        self.seen[row] += 1
        return np.full((16, 16, 3), row * 37 % 256, np.uint8)


@pytest.mark.parametrize("count", [300, 1200])
def test_plain_photos_are_looked_at_a_few_times_each_however_many_there_are(count: int) -> None:
    pixels = Counted(count)
    hashes = Digests.of(number.to_bytes(32, "big") for number in range(1, count + 1))
    groups = find_near_duplicates(hashes, np.zeros(count, np.uint64), np.arange(count), pixels)  # type: ignore[arg-type]
    assert pixels.seen.mean() < 4
    assert len(set(groups)) < count, "some are of one colour"


@pytest.mark.parametrize("classes", [2, 2000])
def test_each_of_many_classes_gives_its_share(classes: int) -> None:
    labels = np.repeat(np.arange(classes), 10)
    sides = split_groups(labels.tolist(), range(len(labels)), 0.2, 0, [f"class {n}" for n in range(classes)])
    held = np.array(sides) == "val"
    assert (held.reshape(classes, 10).sum(axis=1) == 2).all()
