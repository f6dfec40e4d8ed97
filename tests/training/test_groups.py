"""Photos of one named group and of one day's folder stay on one side of a split; a wrong file of groups is refused."""

import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.dataset.groups.named import read_groups
from training.dataset.layout import find_dataset
from training.dataset.prepare import PreparedData, prepare
from training.errors import DatasetError
from training.measure.results import Answers, measured_answers, run_manifest
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe

Make = Callable[..., Path]
RECIPE = Recipe(weights="none", input=Input(size_px=32))


def sides(data: PreparedData, key: Callable[[Path], str]) -> dict[str, set[str]]:
    """The splits of the photos that share a key."""
    found = defaultdict(set)
    for photo in data.samples.photos:
        found[key(photo.path)].add(photo.split)
    return found


def in_day_folders(root: Path, days: list[str]) -> None:
    """Move the photos of a class into folders, in turn."""
    for number, path in enumerate(sorted(root.glob("*.jpg"))):
        folder = root / days[number % len(days)]
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)


def test_photos_of_a_named_group_stay_on_one_side(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=20)
    lines = [f"{label}/{number:03}.jpg;walk {number // 4}" for label in ("blue", "red") for number in range(16)]
    (tmp_path / "groups.csv").write_text("\ufeffpath;group\n" + "\n".join(lines), "utf-8")

    def walk(path: Path) -> str:
        return str(int(path.stem) // 4) if int(path.stem) < 16 else os.fspath(path)

    apart = prepare(root, None, RECIPE, reporter)
    assert max(map(len, sides(apart, walk).values())) == 2
    together = prepare(root, None, RECIPE, reporter, named=tmp_path / "groups.csv")
    assert max(map(len, sides(together, walk).values())) == 1
    assert {photo.split for photo in together.samples.photos} == {"train", "val"}
    assert len(set(together.groups.tolist())) == 12
    assert "32 photos in 4 groups of" in story.getvalue()


def test_a_run_names_the_file_of_its_groups_and_no_folder_above_it(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    root, file = make_dataset(tmp_path / "photos", ("blue", "red"), count=4), tmp_path / "groups.csv"
    file.write_text("path,group\nred/000.jpg,a\nred/001.jpg,a\n")
    told = []
    for named in (None, file):
        data = prepare(root, None, RECIPE, reporter, named=named)
        held = data.samples.of("val")
        answers = {"val": Answers(held, np.eye(2, dtype=np.float32)[held.labels], np.zeros(len(held.rows), np.bool_))}
        manifest = run_manifest(data, RECIPE, measured_answers(answers, data.dataset.labels, RECIPE))
        told.append(manifest["dataset"].get("groups"))
    assert told == [None, {"file": "groups.csv", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}]


def test_groups_that_each_hold_all_classes_are_split(tmp_path: Path, make_dataset: Make, reporter: Reporter) -> None:
    root, file = make_dataset(tmp_path / "photos", ("blue", "red"), count=20), tmp_path / "groups.csv"
    names = [f"{label}/{number:03}.jpg" for label in ("blue", "red") for number in range(20)]
    file.write_text("path,group\n" + "".join(f"{name},{int(name[-7:-4]) // 2}\n" for name in names))
    data = prepare(root, None, RECIPE, reporter, named=file)
    assert all(len(each) == 1 for each in sides(data, lambda path: str(int(path.stem) // 2)).values())
    held = data.samples.of("val")
    assert (len(held.photos), set(held.labels.tolist())) == (8, {0, 1})
    file.write_text("path,group\n" + "".join(f"{name},one\n" for name in names))
    with pytest.raises(DatasetError, match="Name smaller groups"):
        prepare(root, None, RECIPE, reporter, named=file)


def test_a_training_photo_of_a_group_that_is_tested_is_left_out(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos" / "train", ("blue", "red"), count=6).parent
    make_dataset(root / "test", ("blue", "red"), count=3, seed=1)
    file = tmp_path / "groups.csv"
    file.write_text(f"path,group\ntrain/red/000.jpg,a\n{root.absolute()}/test/red/001.jpg,a\n")
    data = prepare(root, None, RECIPE, reporter, named=file)
    assert len(data.samples.photos) == 17
    assert "1 training photos are left out" in story.getvalue()
    assert "are of the same group" in story.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"path,group\nred/000.jpg,a\nred/999.jpg,a\n", "line 3: red/999.jpg is no photo of"),
        (b"path,group\nred/000.jpg,\n", "line 2: a row needs a path and a group"),
        (b"path,group\nred/000.jpg\n", "line 2: a row needs a path and a group"),
        (b"path,group\nred/000.jpg,a\n./red/000.jpg,b\n", r"line 3: ./red/000.jpg stands in line 2, too"),
        (b"file,group\nred/000.jpg,a\n", "has no column path. Its first line must be path,group"),
        (b"", "has no column path and no column group"),
        (b"path,group\n", "names no photo"),
        (b"path,group\nr\xe9d.jpg,a\n", "is not in UTF-8"),
    ],
)
def test_a_wrong_file_of_groups_is_refused_with_the_line(
    tmp_path: Path, make_dataset: Make, text: bytes, said: str
) -> None:
    root, file = make_dataset(tmp_path / "photos", ("blue", "red"), count=2), tmp_path / "groups.csv"
    file.write_bytes(text)
    with pytest.raises(DatasetError, match=said):
        read_groups(file, root, find_dataset(root).photos)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_groups(tmp_path / "nowhere.csv", root, find_dataset(root).photos)


def test_photos_of_one_day_stay_together_where_a_class_has_enough_days(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "green", "red"), count=24)
    in_day_folders(root / "blue", ["2024-05-01", "20240502 Rome", "2024/05/03", "2024_05_04/phone", "2024-05-05", "x"])
    in_day_folders(root / "green", ["2024-05-01", "2024-05-02"])  # one of them would be half of the class
    in_day_folders(root / "red", ["2024", "2024-05"])  # no days
    data = prepare(root, None, RECIPE, reporter)
    found = sides(data, lambda path: os.fspath(path.parent))
    split = {folder.removeprefix(f"{root}/"): len(each) for folder, each in found.items()}
    assert all(len(found[f"{root}/blue/{day}"]) == 1 for day in ("2024-05-01", "20240502 Rome", "2024_05_04/phone"))
    assert split["green/2024-05-01"] == split["red/2024"] == 2
    assert len(set(data.groups.tolist())) == 5 + 4 + 24 + 24
    assert "20 photos in 5 folders of one day stay together." in story.getvalue()
    assert "Folders of one day may be split in green: with fewer than 5 groups" in story.getvalue()
