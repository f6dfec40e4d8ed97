"""Photos from the web teach and never judge, and the run tells their licences."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from common.sources import SOURCES, Source, csv_row
from tests.training.test_labelled import FEW, RECIPE, splits
from training.dataset.prepare import prepare
from training.errors import DatasetError
from training.progress import Reporter

Make = Callable[..., Path]
MakePhotos = Callable[..., list[Path]]


def from_web(folder: Path, make_photos: MakePhotos, label: str, count: int, *, licences: str = "by") -> list[Path]:
    """Photos as `collect` names them, with the rows of those for which there is a licence."""
    found: list[Path] = []
    for path in make_photos(folder, label, count, seed=7):
        digest = sha256(path.read_bytes()).hexdigest()
        found.append(path.rename(folder / f"collected-{len(found) + 1:04d}-{digest[:12]}{path.suffix}"))
    with (folder / SOURCES).open("w", newline="") as file:
        rows = [Source(sha256(path.read_bytes()).hexdigest(), "https://a.test/", licences) for path in found]
        csv.writer(file).writerows([Source._fields, *(map(csv_row, rows) if licences else ())])
    return found


@pytest.mark.parametrize("hold_out_from", [0, FEW])
def test_a_class_from_the_web_teaches_and_photos_of_ones_own_alone_validate(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, hold_out_from: int
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=10)
    before = splits(prepare(root, None, RECIPE, reporter))
    web = from_web(root / "violet", make_photos, "violet", 6)
    data = prepare(root, None, RECIPE, reporter, hold_out_from)
    after = splits(data)
    assert {after[path] for path in web} == {("violet", "train")}
    assert {path: side for path, side in after.items() if path not in web} == before
    assert {split for _, split in before.values()} == {"train", "val"}
    assert data.from_web == {
        "photos": 6, "licences": {"by": 6}, "owed": {"by": "name the creator, the licence and what was changed"},
    }  # fmt: skip


def test_photos_of_the_web_that_lie_in_val_or_test_are_left_out(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, story: io.StringIO
) -> None:
    root = tmp_path / "photos"
    for split in ("train", "val", "test"):
        make_dataset(root / split, ("blue", "red"), count=4, seed=len(split))
    web = from_web(root / "val" / "red", make_photos, "red", 2, licences="")
    web += from_web(root / "test" / "red", make_photos, "red", 2, licences="cc0")
    data = prepare(root, None, RECIPE, reporter)
    assert not set(web) & set(splits(data))
    assert "4 photos to validate or test with are left out, because they are from the web." in story.getvalue()
    assert data.from_web == {}


def test_a_photo_without_a_row_is_counted_as_unknown(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=6)
    from_web(root / "red" / "web", make_photos, "red", 3, licences="")
    facts = prepare(root, None, RECIPE, reporter).from_web
    assert facts["licences"] == {"unknown": 3}
    assert "nobody can tell" in facts["owed"]["unknown"]


def test_photos_of_the_web_alone_are_refused(tmp_path: Path, make_photos: MakePhotos, reporter: Reporter) -> None:
    for label in ("blue", "red"):
        from_web(tmp_path / "photos" / label, make_photos, label, 5)
    with pytest.raises(DatasetError, match="or they are from the web"):
        prepare(tmp_path / "photos", None, replace(RECIPE, seed=1), reporter, FEW)
