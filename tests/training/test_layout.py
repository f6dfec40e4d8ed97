"""Labelled photos are found in the layouts that people have, and nothing else is taken for one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import ContractError
from training.dataset.layout import find_dataset
from training.errors import DatasetError

Make = Callable[..., Path]


def test_class_folders_are_found_in_sorted_order(tmp_path: Path, make_dataset: Make) -> None:
    found = find_dataset(make_dataset(tmp_path, ("zebra", "apple", "Moon"), count=2))
    assert found.labels == ("Moon", "apple", "zebra")
    assert [photo.label for photo in found.photos] == [0, 0, 1, 1, 2, 2]
    assert {photo.split for photo in found.photos} == {""}
    assert found.sentence() == "Found 6 photos of 3 classes in class folders."


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Validation", "Test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("training", "valid", "testing"),
    ],
)
def test_split_folders_are_found_under_their_usual_names(
    tmp_path: Path, make_dataset: Make, train: str, val: str, test: str
) -> None:
    for number, folder in enumerate((train, val, test), 1):
        make_dataset(tmp_path / folder, ("a", "b"), count=number)
    (tmp_path / "seg_pred").mkdir()
    found = find_dataset(tmp_path)
    assert found.labels == ("a", "b")
    assert [len(found.of(split)) for split in ("train", "val", "test")] == [2, 4, 6]
    assert "(2 train, 4 val, 6 test)" in found.sentence()


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (("trn", "test"), "trn holds the same classes as test"),
        (("train", "vaild", "test"), "vaild holds the same classes as train, test"),
        (("train", "extra"), "extra holds the same classes as train"),
        (("train", "val", "validation"), "val and validation, which mean the same split"),
    ],
)
def test_a_folder_that_would_be_passed_over_is_named(
    tmp_path: Path, make_dataset: Make, folders: tuple[str, ...], sentence: str
) -> None:
    for folder in folders:
        make_dataset(tmp_path / folder, ("a", "b"), count=1)
    with pytest.raises(DatasetError, match=sentence):
        find_dataset(tmp_path)


def test_the_doubled_folder_is_found_from_its_outer_half(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path / "seg_train" / "seg_train", ("a", "b"), count=2)
    assert find_dataset(tmp_path / "seg_train").labels == ("a", "b")


def test_a_class_may_be_called_like_a_split(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("bus", "train", "test"), count=2)
    assert find_dataset(tmp_path).labels == ("bus", "test", "train")


def test_a_photo_is_known_by_name_or_content_and_the_rest_is_counted(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("a", "b"), count=2)
    (tmp_path / "a" / "000.jpg").rename(tmp_path / "a" / "photo without extension")
    (tmp_path / "a" / "notes.txt").write_text("not a photo")
    (tmp_path / "a" / ".hidden.jpg").write_bytes(b"x")
    found = find_dataset(tmp_path)
    assert len(found.photos) == 4
    assert found.ignored == 1


def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("a", "b"), count=1)
    deep = tmp_path / "a"
    folder = os.open(deep, os.O_RDONLY)
    for _ in range(20):  # a path longer than the kernel takes: not even root can list it
        os.mkdir("x" * 250, dir_fd=folder)
        inner = os.open("x" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    found = find_dataset(tmp_path)
    assert len(found.photos) == 2
    assert "Folders that cannot be listed or followed are left out: " in found.sentence()
    assert "(File name too long)" in found.sentence()
    (tmp_path / "a" / "000.jpg").unlink()
    (tmp_path / "b" / "000.jpg").unlink()
    with pytest.raises(DatasetError, match=r"no photos\..*cannot be listed"):
        find_dataset(tmp_path)


def test_folders_inside_a_class_belong_to_it_and_rubbish_folders_to_nothing(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("a", "b"), count=1)
    make_dataset(tmp_path / "a", ("2024",), count=3)
    make_dataset(tmp_path, ("__MACOSX", ".thumbnails"), count=1)
    found = find_dataset(tmp_path)
    assert found.labels == ("a", "b")
    assert [photo.label for photo in found.photos] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("labels", "count", "sentence"),
    [((), 0, "no class folders"), (("only",), 2, "only one class folder (only)"), (("a", "b"), 0, "no photos")],
)
def test_what_cannot_be_trained_on_is_refused_in_a_sentence(
    tmp_path: Path, make_dataset: Make, labels: tuple[str, ...], count: int, sentence: str
) -> None:
    with pytest.raises(DatasetError) as error:
        find_dataset(make_dataset(tmp_path, labels, count=count))
    assert sentence in str(error.value)
    assert str(error.value).endswith(".")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        find_dataset(tmp_path / "nowhere")


def test_a_class_name_that_cannot_be_a_folder_of_the_output_is_refused(tmp_path: Path, make_dataset: Make) -> None:
    with pytest.raises(ContractError, match=r"_mine.*it begins with a dot or an underscore\. Rename the class"):
        find_dataset(make_dataset(tmp_path, ("_mine", "a"), count=1))


def test_a_sorted_output_is_a_dataset_without_what_is_no_class(tmp_path: Path, make_dataset: Make) -> None:
    output = make_dataset(tmp_path, ("sea/2023", "sea/2024", "street/trip/day 1"), count=2)
    make_dataset(output, ("_failed", "_review/trip", "_duplicates", "inbox"), count=3)
    (output / ".phototriage").write_text("{}")
    (output / "inbox" / ".phototriage").write_text("{}")
    (output / "_failed" / "000.jpg.why.txt").write_text("truncated")
    photo = (output / "sea" / "2023" / "000.jpg").read_bytes()
    for name in ("a.jpg.xmp", "a.json", "a.mov", "a.mp4", "a.aae", "a.wav"):
        (output / "sea" / name).write_bytes(b"\0\0\0\x14ftypqt  ")
    for name in ("a.dng", "a.NEF", "a.cr2"):
        (output / "sea" / name).write_bytes(b"II*\0" + bytes(40))
    (output / "sea" / "MVI_1.THM").write_bytes(photo)
    found = find_dataset(output)
    assert found.labels == ("sea", "street")
    assert [photo.label for photo in found.photos] == [0, 0, 0, 0, 1, 1]
    assert found.sentence() == (
        "Found 6 photos of 2 classes in class folders; 10 other files ignored. _duplicates left out: 3 photos. "
        "_failed left out: 3 photos. _review left out: 3 photos. inbox left out: 3 photos."
    )
    assert find_dataset(output, ("sea", "street", "forest")).photos


def test_a_class_folder_that_was_once_an_inbox_is_a_class(tmp_path: Path, make_dataset: Make) -> None:
    (make_dataset(tmp_path, ("a", "b"), count=2) / "a" / ".phototriage").write_text("{}")
    assert find_dataset(tmp_path).labels == ("a", "b")


def test_an_output_whose_first_folders_are_dates_has_no_class_folders(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("2023/sea", "2024-07/street"), count=2)
    assert find_dataset(tmp_path).labels == ("2023", "2024-07")
    (tmp_path / ".phototriage").write_text("{}")
    with pytest.raises(
        DatasetError, match=r"first folders are dates \(2023, 2024-07\).*layout that begins with \{label"
    ):
        find_dataset(tmp_path)


def test_with_known_labels_a_class_may_be_absent_and_a_stranger_may_not(tmp_path: Path, make_dataset: Make) -> None:
    make_dataset(tmp_path, ("b",), count=2)
    assert [photo.label for photo in find_dataset(tmp_path, ("a", "b")).photos] == [1, 1]
    with pytest.raises(DatasetError, match="that are not classes of the model: b"):
        find_dataset(tmp_path, ("a", "c"))


def test_linked_class_folders_and_photos_are_followed_and_links_below_are_said(
    tmp_path: Path, make_dataset: Callable[..., Path]
) -> None:
    elsewhere = make_dataset(tmp_path / "elsewhere", ("b", "more"), count=3)
    root = make_dataset(tmp_path / "photos", ("a",), count=2)
    (root / "b").symlink_to(elsewhere / "b")
    (root / "a" / "linked.jpg").symlink_to(elsewhere / "more" / "000.jpg")
    (root / "a" / "below").symlink_to(elsewhere / "more")
    (root / "a" / "circle").symlink_to(root / "a")
    dataset = find_dataset(root)
    assert [photo.label for photo in dataset.photos] == [0, 0, 0, 1, 1, 1]
    assert {folder.name for folder, _ in dataset.unlisted} == {"below", "circle"}
    assert "left out:" in dataset.sentence()
    assert "a link to a folder: copy the photos, or link the class folder" in dataset.sentence()


def test_a_class_folder_that_links_to_the_dataset_is_refused(tmp_path: Path, make_dataset: Callable[..., Path]) -> None:
    root = make_dataset(tmp_path / "photos", ("a", "b"), count=2)
    (root / "circle").symlink_to(root)
    with pytest.raises(DatasetError, match="circle is a link to a folder that holds it"):
        find_dataset(root)
