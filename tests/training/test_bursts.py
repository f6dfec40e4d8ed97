"""Photos that one camera took within seconds stay on one side of a split; the cache keeps when they were taken."""

import io
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from contract.geometry import Geometry
from training.dataset.cache import cache_folder, decode_all
from training.dataset.groups.bursts import GAP_S, bursts
from training.dataset.groups.capture import UNKNOWN, Capture, capture_of
from training.dataset.layout import Photo
from training.dataset.prepare import prepare
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe

Make = Callable[..., Path]
RECIPE = Recipe(weights="none", input=Input(size_px=32))
NOON = "2024:05:01 12:00:00"


def take(path: Path, taken: str = NOON, part: str | None = None, make: str = "Ricoh", model: str = "GR III") -> None:
    """Write the EXIF data of a camera into a photo, whose pixels stay."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = make, model
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = taken
    if part is not None:
        details[ExifTags.Base.SubsecTimeOriginal] = part
    with Image.open(path) as image:
        image.load()
    image.save(path, exif=exif)


def test_photos_of_a_burst_stay_on_one_side_and_a_second_run_reads_no_photo(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "green", "red"), count=24)
    for number, path in enumerate(sorted((root / "blue").iterdir())):  # six bursts of four
        take(path, f"2024:05:01 12:{number // 4:02}:00", str(number % 4))
    for path in (root / "green").iterdir():  # one burst, which is all of the class
        take(path)
    data = prepare(root, None, RECIPE, reporter)
    sides = defaultdict(set)
    for photo in data.samples.photos:
        if photo.label == 0:
            sides[int(photo.path.stem) // 4].add(photo.split)
    assert sorted(map(sorted, sides.values())) == [["train"]] * 5 + [["val"]]
    assert len(set(data.groups.tolist())) == 6 + 24 + 24
    assert "24 photos in 6 bursts of one camera stay together." in story.getvalue()
    assert "Bursts of one camera may be split in green: with fewer than 5 groups" in story.getvalue()
    for path in root.rglob("*.jpg"):  # unreadable now, with the times and the size that it had
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        _let_the_index_know(path)
    assert np.array_equal(prepare(root, None, RECIPE, reporter).groups, data.groups)


def _let_the_index_know(path: Path) -> None:
    """Let the index know the change time of a file, which nobody can set."""
    (index,) = cache_folder(Geometry("stretch", 32)).glob("*.sqlite")
    with closing(sqlite3.connect(index)) as connection, connection:
        known = (path.stat().st_ctime_ns, os.fsencode(path))
        assert connection.execute("UPDATE file SET ctime_ns = ? WHERE path = ?", known).rowcount == 1


def test_a_cache_of_an_earlier_version_learns_when_its_photos_were_taken_and_decodes_none(
    tmp_path: Path, make_photos: Callable[..., list[Path]]
) -> None:
    paths, geometry = make_photos(tmp_path, "red", 3), Geometry(size_px=32)
    for path in paths[:2]:
        take(path)
    first = decode_all(paths, geometry)
    (index,) = cache_folder(geometry).glob("*.sqlite")
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("DROP TABLE capture")
    second = decode_all(paths, geometry)
    assert second.fresh == 0
    assert first.captures.tolist() == second.captures.tolist()
    assert first.captures[0].tolist() == list(capture_of(paths[0]))
    kept = index.read_bytes()
    assert decode_all(paths, geometry).captures.tolist() == first.captures.tolist()
    assert index.read_bytes() == kept


def test_a_burst_is_of_one_class_and_one_camera_and_ends_with_a_pause() -> None:
    label = [0, 0, 0, 0, 0, 1, 1, 0, 0]
    camera = [7, 7, 7, 8, 7, 7, 7, 0, 0]
    taken_s = [0, GAP_S, 2 * GAP_S, 1, 3 * GAP_S + 1, 0, 1, 0, 0]
    photos = [Photo(Path(f"{number}.jpg"), each) for number, each in enumerate(label)]
    found = bursts(photos, np.column_stack([camera, np.array(taken_s) * 1000]))
    assert [bool(number) for number in found] == [True] * 3 + [False] * 2 + [True] * 2 + [False] * 2
    assert len(set(found[:3])) == len(set(found[5:7])) == 1
    assert found[0] != found[5]
    assert bursts(photos, np.zeros((9, 2), np.int64)) == [0] * 9


@pytest.mark.parametrize(("part", "milliseconds"), [(None, 0), ("5", 500), ("050", 50), ("123456", 123), ("x", 0)])
def test_sub_seconds_are_the_digits_behind_the_point(
    tmp_path: Path, make_photos: Callable[..., list[Path]], part: str | None, milliseconds: int
) -> None:
    one, other = make_photos(tmp_path, "red", 2)
    take(one, part=part)
    take(other)
    assert capture_of(one).taken_ms - capture_of(other).taken_ms == milliseconds
    assert capture_of(one).camera == capture_of(other.read_bytes()).camera > 0
    take(other, model="GR IV")
    assert capture_of(one).camera != capture_of(other).camera


@pytest.mark.parametrize(
    "told",
    [
        {"make": "", "model": ""},
        {"taken": ""},
        {"taken": "    :  :     :  :  "},
        {"taken": "2002:12:08 12:00:00"},  # the firmware of many phones
        {"taken": "1980:01:01 00:00:07"},
        {"taken": "2024:13:01 12:00:00"},
    ],
)
def test_a_photo_without_camera_or_with_a_clock_that_was_never_set_is_of_no_burst(
    tmp_path: Path, make_photos: Callable[..., list[Path]], told: dict[str, str]
) -> None:
    (path,) = make_photos(tmp_path, "red", 1)
    assert capture_of(path) == UNKNOWN
    take(path)
    assert capture_of(path) != UNKNOWN
    take(path, **told)
    assert capture_of(path) == UNKNOWN


def test_damaged_exif_data_is_no_fault_of_a_photo(tmp_path: Path, make_photos: Callable[..., list[Path]]) -> None:
    (path,) = make_photos(tmp_path, "red", 1)
    take(path)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        for place in rng.integers(20, 200, 4):
            damaged[place] = rng.integers(256)
        assert isinstance(capture_of(bytes(damaged)), Capture)
    assert capture_of(b"") == UNKNOWN
