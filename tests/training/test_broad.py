"""The broad network: what it learns from, that it is the same twice, and that its file is what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.drawing import KINDS, draw_scene
from contract.geometry import Geometry, Pixels
from training.broad.degrade import degrade
from training.broad.distil import DistilSettings, make_batch
from training.broad.photos import BroadPhotos, cut, find_photos
from training.errors import DatasetError, WeightsError
from training.network.broad_network import (
    BroadNetwork,
    embed,
    fit_projection,
    read_broad,
    rounded,
    unit_length,
    write_broad,
)
from training.progress import Reporter

SIZE = 32


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve drawn photos, half of them smaller than the input."""
    folder = tmp_path / "photos" / "inner"
    folder.mkdir(parents=True)
    for seed in range(12):
        picture = draw_scene(list(KINDS)[seed % len(KINDS)], seed)
        picture.resize((20, 20) if seed % 2 else (96, 64)).save(folder / f"{seed:02}.jpg")
    return tmp_path / "photos"


@pytest.fixture
def reporter() -> Reporter:
    from rich.console import Console

    return Reporter(Console(quiet=True))


def small_network(seed: int = 0) -> BroadNetwork:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)]
    projection = fit_projection(rng.normal(size=(9, 6)).astype(np.float32), 4)
    return BroadNetwork(
        Geometry("stretch", SIZE),
        rounded(weights, "fp16"),
        projection,
        np.eye(3, projection.shape[0], dtype=np.float32),
        {"steps": 1},
    )


def test_folders_and_lists_of_paths_are_told_apart_by_size(photos: Path, tmp_path: Path, reporter: Reporter) -> None:
    (photos / "broken.jpg").write_bytes(b"no photo")
    listed = tmp_path / "list.txt"
    listed.write_text("photos/inner/00.jpg\nphotos/inner/01.jpg\n\n", encoding="utf-8")
    found = find_photos([photos, listed], SIZE, reporter)
    assert [path.stem for path in found.clean] == ["00", "02", "04", "06", "08", "10"]
    assert len(found.small) == 6
    assert [path.name for path in found.unreadable] == ["broken.jpg"]


def test_without_a_photo_as_large_as_the_input_it_says_what_to_add(photos: Path, reporter: Reporter) -> None:
    with pytest.raises(DatasetError, match=r"smaller --size-px"):
        find_photos([photos], 512, reporter)
    with pytest.raises(DatasetError, match=r"cannot be read"):
        find_photos([photos / "none"], SIZE, reporter)


def test_a_list_may_name_what_is_no_file_and_a_photo_may_stand_alone(
    photos: Path, tmp_path: Path, reporter: Reporter
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would wait for ever
    (tmp_path / "list.txt").write_text("pipe.jpg\ngone.jpg\nphotos\nno\0path.jpg\n", encoding="utf-8")
    found = find_photos([tmp_path / "list.txt", photos / "inner" / "00.jpg"], SIZE, reporter)
    assert [path.name for path in found.clean] == ["00.jpg"]
    assert len(found.unreadable) == 4


def test_a_cut_of_a_large_photo_is_never_enlarged(tmp_path: Path) -> None:
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2] = 255  # an enlarged cut of these would be grey between black and white
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    for seed in range(20):
        values = np.unique(cut(tmp_path / "stripes.png", 40, np.random.default_rng(seed)))
        assert set(values) == {0, 255}


def red(photo: Pixels) -> bool:
    return bool(photo[..., 0].min() > 240 and photo[..., 1:].max() < 15)


def test_a_batch_depends_on_photos_seed_and_number_alone_and_half_of_it_is_large(
    photos: Path, reporter: Reporter
) -> None:
    for small in find_photos([photos], SIZE, reporter).small:
        Image.new("RGB", (20, 20), "red").save(small)
    found = find_photos([photos], SIZE, reporter)
    settings = DistilSettings(size_px=SIZE, batch_size=8, seed=3)
    clean, worse = make_batch(found, settings, 5)
    again = make_batch(found, settings, 5)
    assert clean.shape == worse.shape == (8, SIZE, SIZE, 3)
    assert np.array_equal(clean, again[0])
    assert np.array_equal(worse, again[1])
    assert not np.array_equal(clean, make_batch(found, settings, 6)[0])
    assert [red(photo) for photo in clean] == 4 * [False] + 4 * [True]
    one_small = BroadPhotos(found.clean, found.small[:1], ())
    assert sum(red(photo) for photo in make_batch(one_small, settings, 0)[0]) == 1


def test_damage_keeps_the_size_and_changes_most_photos() -> None:
    photo = np.asarray(draw_scene("sea", 1).resize((SIZE, SIZE)))
    worse = [degrade(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.shape == photo.shape and one.dtype == np.uint8 for one in worse)
    assert sum(not np.array_equal(one, photo) for one in worse) >= 15


def test_the_file_holds_what_was_written_and_its_id_changes_with_each_part(tmp_path: Path) -> None:
    network = small_network()
    write_broad(tmp_path / "broad.npz", network)
    read = read_broad(tmp_path / "broad.npz")
    assert (read.id, read.precision, read.geometry, read.card) == (network.id, "fp16", network.geometry, network.card)
    assert all(np.array_equal(a, b) for a, b in zip(read.weights, network.weights, strict=True))
    assert network.to_bytes() == small_network().to_bytes()
    others = [
        small_network(1),
        BroadNetwork(Geometry("stretch", 64), network.weights, network.projection, network.background, network.card),
        BroadNetwork(
            network.geometry, rounded(network.weights, "fp32"), network.projection, network.background, network.card
        ),
        BroadNetwork(network.geometry, network.weights, -network.projection, network.background, network.card),
    ]
    assert len({network.id, *(other.id for other in others)}) == 5


def test_a_damaged_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "broad.npz"
    write_broad(file, small_network())
    data = bytearray(file.read_bytes())
    place = data.index(np.ascontiguousarray(small_network().projection).tobytes())
    data[place : place + 4] = np.float32(9).tobytes()
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=r"damaged"):
        read_broad(file)
    file.write_bytes(b"no file of arrays")
    with pytest.raises(WeightsError, match=r"no broad network"):
        read_broad(file)
    with pytest.raises(WeightsError, match=r"cannot be read"):
        read_broad(tmp_path / "none.npz")


def test_the_projection_keeps_lengths_and_most_of_the_products() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(50, 3)) @ rng.normal(size=(3, 20))).astype(np.float32)
    projection = fit_projection(features, 3)
    assert np.allclose(projection.T @ projection, np.eye(3), atol=1e-5)
    short = embed(features, projection)
    assert np.allclose(short @ short.T, unit_length(features) @ unit_length(features).T, atol=1e-4)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phototriage", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def test_the_same_command_gives_the_same_bytes_and_they_become_onnx(photos: Path, tmp_path: Path, shared: Path) -> None:
    words = ("train-broad", str(photos), "--steps", "2", "--size-px", str(SIZE), "--json")
    files = [tmp_path / f"{number}.npz" for number in (1, 2)]
    done = [run(*words, "--output", str(file)) for file in files]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads(done[0].stdout)["photos"] == {"clean": 6, "small": 6}
    assert read_broad(files[0]).id in files[0].with_suffix(".md").read_text(encoding="utf-8")
    converted = run("convert", "--broad", str(files[0]), "--output", str(tmp_path / "broad.onnx"), "--json")
    assert converted.returncode == 0, converted.stderr
    told = json.loads(converted.stdout)
    assert told["id"] == read_broad(files[0]).id
    assert told["max_difference"] < 1e-4
