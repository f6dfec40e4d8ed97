"""The cache tells what it holds, and is cleaned of that alone, also while a training uses it."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contract.geometry import Geometry, to_input
from training.commands.cache import DAY_S, cache
from training.dataset.cache import cache_folder, cache_root, decode_all
from training.dataset.cache_contents import PHOTOS, REST, clean_cache, list_cache

GEOMETRY = Geometry(size_px=40)
MakePhotos = Callable[..., list[Path]]
DAY_10, DAY_20 = 10 * DAY_S, 20 * DAY_S


@pytest.fixture
def photos(tmp_path: Path, make_photos: MakePhotos) -> list[Path]:
    """Photos that the cache holds."""
    paths = make_photos(tmp_path / "photos", "red", 3)
    decode_all(paths, GEOMETRY)
    return paths


@pytest.fixture
def features() -> Path:
    """A file of features that the cache holds."""
    file = cache_root() / "features" / f"{'0a' * 32}.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.zeros((5, 4), np.float32))
    return file


def at(time_s: float, *files: Path) -> None:
    for file in files:
        os.utime(file, (time_s, time_s))


def files() -> set[str]:
    return {path.name for path in cache_root().rglob("*") if path.is_file()}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cache, [str(argument) for argument in arguments])


def test_it_tells_what_is_held_and_when_it_was_used(photos: list[Path], features: Path) -> None:
    at(DAY_10, *cache_folder(GEOMETRY).iterdir())
    at(DAY_20, features)
    told = json.loads(run("--json").stdout)
    assert [(item["kind"], item["photos"], item["last_used"][:10]) for item in told["entries"]] == [
        ("features", 5, "1970-01-21"),
        ("photos", len(photos), "1970-01-11"),
    ]
    assert told["bytes"] == sum(path.stat().st_size for path in cache_root().rglob("*") if path.is_file())
    assert told["root"] == str(cache_root())
    shown = run().output
    assert cache_folder(GEOMETRY).name in shown
    assert "in " + str(cache_root()) in shown.replace("\n", "")


def test_another_run_over_the_same_photos_counts_as_a_use(photos: list[Path]) -> None:
    at(DAY_10, *cache_folder(GEOMETRY).iterdir())
    assert decode_all(photos, GEOMETRY).fresh == 0
    (held,) = list_cache(cache_root())
    assert held.used_s > DAY_20


def test_only_what_was_not_used_for_so_long_is_removed(photos: list[Path], features: Path) -> None:
    at(DAY_10, features)
    assert [item.name for item in clean_cache(cache_root(), DAY_20).removed] == [features.name]
    assert decode_all(photos, GEOMETRY).fresh == 0
    result = run("--clean", "--older-than", 1)
    assert "Removed 0" in result.output
    assert run("--clean").exit_code == 0
    assert list_cache(cache_root()) == []
    assert decode_all(photos, GEOMETRY).fresh == len(photos)


def test_nothing_else_is_touched(photos: list[Path], features: Path, tmp_path: Path) -> None:
    root, folder = cache_root(), cache_folder(GEOMETRY)
    away = tmp_path / "away"
    away.mkdir()
    (away / "pixels.u8").write_text("mine")
    (root / "pixels" / "linked-40").symlink_to(away)
    mine = [root / "notes.txt", root / "pixels" / "notes.txt", folder / "notes.txt", features.with_name("mine.npy")]
    for file in mine:
        file.write_text("mine")
    features.with_suffix(".trunk").write_bytes(b"a network that an earlier training exported")
    assert run("--clean").exit_code == 0
    assert files() == {"lock", "notes.txt", "mine.npy"}
    assert all(file.read_text() == "mine" for file in [*mine, away / "pixels.u8"])


def test_a_training_under_way_keeps_what_it_has_mapped(photos: list[Path], features: Path) -> None:
    found = decode_all(photos, GEOMETRY)
    mapped = np.load(features, mmap_mode="r")
    run("--clean")
    assert files() == {"lock"}
    for path, row in zip(photos, found.rows, strict=True):
        assert np.array_equal(found.pixels[row], to_input(path, GEOMETRY))
    assert not mapped.any()


def test_what_is_being_written_is_left_and_said(photos: list[Path], features: Path) -> None:
    part = features.with_name(f".{features.name}.123.part")
    part.write_bytes(b"half")
    locks = [cache_folder(GEOMETRY) / "lock", features.with_name("lock")]
    with locks[0].open("w") as one, locks[1].open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_SH)
        cleaned = clean_cache(cache_root(), float("inf"))
        assert {item.kind for item in cleaned.busy} == {PHOTOS, REST}
        assert [item.name for item in cleaned.removed] == [features.name]
        assert "being written: " + part.name in run("--clean").output
    assert len(clean_cache(cache_root(), float("inf")).removed) == 2
    assert files() == {"lock"}


@pytest.mark.parametrize("first", [0, 1])
def test_a_kill_between_two_removals_leaves_a_cache_that_works(photos: list[Path], first: int) -> None:
    (held,) = list_cache(cache_root())
    held.files[first].unlink()
    found = decode_all(photos, GEOMETRY)
    assert found.fresh == len(photos)
    assert np.array_equal(found.pixels[found.rows[0]], to_input(photos[0], GEOMETRY))


def test_a_damaged_index_does_not_cut_what_another_training_has_mapped(photos: list[Path]) -> None:
    mapped = decode_all(photos, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("index-*.sqlite")
    index.write_bytes(b"not a database" * 100)
    decode_all(photos[:1], GEOMETRY)
    assert np.array_equal(mapped.pixels[mapped.rows[2]], to_input(photos[2], GEOMETRY))


def test_an_empty_cache_and_wrong_usage() -> None:
    assert "is empty" in run().output
    assert json.loads(run("--clean", "--json").stdout)["freed_bytes"] == 0
    assert run("--older-than", 3).exit_code == 2
    assert run("--clean", "--older-than", -1).exit_code == 2


def test_help_loads_nothing_heavy(root: Path) -> None:
    code = (
        "import sys\n"
        "from training.commands.cache import cache\n"
        "cache(['--help'], standalone_mode=False)\n"
        "print([name for name in ('tensorflow', 'keras', 'onnxruntime', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
