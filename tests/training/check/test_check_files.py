"""What is wrong with single files is found, each for its own reason, and nothing hangs or ends the check."""

import csv
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.sources import SOURCES, Source, csv_row
from contract.geometry import MAX_FILE_BYTES
from training.check.balance import balance
from training.check.findings import find_problems
from training.check.kinds import Finding, Kind
from training.check.scan import scan_photos
from training.dataset.layout import Photo, find_dataset

Save = Callable[[Path], None]


def findings(root: Path) -> dict[Kind, list[tuple[list[str], Finding]]]:
    """Findings by kind, each with the paths that it is about."""
    dataset = find_dataset(root)
    with scan_photos([photo.path for photo in dataset.photos]) as scan:
        found, _ = find_problems(dataset, scan)
    by_kind: dict[Kind, list[tuple[list[str], Finding]]] = {}
    for finding in found:
        paths = [os.path.relpath(dataset.photos[number].path, root) for number in finding.photos]
        by_kind.setdefault(finding.kind, []).append((paths, finding))
    return by_kind


def blocks(path: Path, seed: int, size: tuple[int, int] = (120, 90), format: str | None = None) -> None:  # noqa: A002
    """A picture that resembles none of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 12, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path, format)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two classes of five good photos."""
    for number in range(10):
        blocks(tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    return tmp_path / "photos"


def test_a_good_dataset_has_no_findings(dataset: Path) -> None:
    assert findings(dataset) == {}


def test_unreadable_files_are_found_each_with_the_daemons_reason(dataset: Path) -> None:
    cat = dataset / "cat"
    (cat / "empty.jpg").touch()
    (cat / "text.jpg").write_text("no photo")
    whole = (cat / "0.jpg").read_bytes()
    (cat / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (cat / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(cat / "pipe.jpg")
    with (cat / "huge.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    found = findings(dataset)
    assert {Path(paths[0]).name: finding.facts["reason"] for paths, finding in found[Kind.UNREADABLE]} == {
        "empty.jpg": "empty",
        "text.jpg": "not-a-photo",
        "cut.jpg": "truncated",
        "gone.jpg": "unreadable",
        "pipe.jpg": "unreadable",
        "huge.jpg": "too-large",
    }
    assert list(found) == [Kind.UNREADABLE]


def test_a_file_of_another_type_than_its_name_says_is_found(dataset: Path) -> None:
    blocks(dataset / "cat" / "really.jpg", 20, format="PNG")
    blocks(dataset / "dog" / "nameless", 21, format="JPEG")
    blocks(dataset / "dog" / "fine.JPEG", 22, format="JPEG")
    found = findings(dataset)[Kind.WRONG_TYPE]
    assert [(paths, finding.facts["content"]) for paths, finding in found] == [
        (["cat/really.jpg"], "PNG"),
        (["dog/nameless"], "JPEG"),
    ]


def test_a_picture_of_one_colour_is_blank_and_a_foggy_one_is_not(dataset: Path) -> None:
    Image.new("RGB", (80, 80), (200, 30, 30)).save(dataset / "cat" / "red.jpg", quality=30)
    Image.new("L", (80, 80), 0).save(dataset / "dog" / "black.png")
    fog = np.clip(np.random.default_rng(0).normal(180, 9, (80, 80, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(fog).save(dataset / "dog" / "fog.png")
    found = findings(dataset)
    assert [paths for paths, _ in found[Kind.BLANK]] == [["cat/red.jpg"], ["dog/black.png"]]
    assert found[Kind.BLANK][1][1].facts["colour"] == "#000000"


def test_blank_pictures_are_not_taken_for_copies_of_each_other(dataset: Path) -> None:
    for number, label in enumerate(("cat", "dog")):
        Image.new("RGB", (80, 80 + number), "white").save(dataset / label / "white.png")
    assert set(findings(dataset)) == {Kind.BLANK}


def test_tiny_and_odd_sizes_and_proportions_are_found_the_worst_first(dataset: Path) -> None:
    blocks(dataset / "cat" / "tiny.png", 30, (31, 300))
    blocks(dataset / "cat" / "tinier.png", 31, (8, 8))
    blocks(dataset / "dog" / "large.png", 32, (1200, 900))
    blocks(dataset / "dog" / "strip.png", 33, (220, 60))
    found = findings(dataset)
    assert {kind: [paths[0] for paths, _ in items] for kind, items in found.items()} == {
        Kind.TINY: ["cat/tinier.png", "cat/tiny.png"],
        Kind.SIZE: ["dog/large.png"],
        Kind.ASPECT: ["cat/tiny.png", "dog/strip.png"],
    }


def test_a_class_that_is_empty_or_far_smaller_is_found(dataset: Path) -> None:
    for number in range(40, 80):
        blocks(dataset / "dog" / f"{number}.jpg", number)
    (dataset / "bird").mkdir()
    found = findings(dataset)[Kind.BALANCE]
    assert [(finding.facts["label"], finding.facts["photos"]) for _, finding in found] == [("bird", 0), ("cat", 5)]


@pytest.mark.parametrize(
    ("small", "large", "said"),
    [
        (4, 12, "add at least 1, because fewer than 5"),
        (8, 39, ""),
        (8, 43, "; uneven: add 1 or more, or judge it by its recall"),
        (5, 50, "very uneven: add 6 or more, or judge it by its recall"),
    ],
)
def test_few_photos_and_uneven_classes_are_found_by_degree(small: int, large: int, said: str) -> None:
    photos = [Photo(Path(f"{number}.jpg"), int(number < small)) for number in range(small + large)]
    found = [finding.detail for finding in balance(photos, ("large", "small"))]
    assert len(found) == bool(said)
    assert all(detail.startswith(f"small: {small} ") and said in detail for detail in found)


def test_a_folder_that_cannot_be_listed_is_a_finding(dataset: Path, as_nobody: Callable[[], None]) -> None:
    closed = dataset / "cat" / "closed"
    blocks(closed / "inside.jpg", 90)
    closed.chmod(0)
    try:
        as_nobody()
        found = findings(dataset)[Kind.UNLISTED]
    finally:
        os.seteuid(os.getuid())
        closed.chmod(0o700)
    assert [finding.facts["folder"] for _, finding in found] == ["cat/closed"]


def test_photos_from_the_web_need_a_row_and_belong_to_training(tmp_path: Path) -> None:
    rows = []
    for number, place in enumerate(("train/cat", "train/cat", "test/cat", "train/dog", "test/dog")):
        path = tmp_path / "photos" / place / f"collected-{number:04d}-0123456789ab.png"
        blocks(path, number)
        rows.append(Source(hashlib.sha256(path.read_bytes()).hexdigest(), "https://a.test/", "by"))
    blocks(tmp_path / "photos" / "train" / "dog" / "own.png", 9)
    table = tmp_path / "collected" / "cat" / SOURCES
    table.parent.mkdir(parents=True)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([Source._fields, *map(csv_row, rows[1:3])])
    found = [(paths[0].rpartition("/")[0], one.detail) for paths, one in findings(tmp_path / "photos")[Kind.FROM_WEB]]
    assert sorted(found) == [
        ("test/cat", "collected from the web, and in test"),
        ("test/dog", "collected from the web, and in test"),
        ("test/dog", "collected from the web, and no sources.csv names it"),
        ("train/cat", "collected from the web, and no sources.csv names it"),
        ("train/dog", "collected from the web, and no sources.csv names it"),
    ]
