"""The split is stratified, repeatable, and leaves no near duplicates on both sides."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contract.geometry import Geometry
from training.dataset.cache import decode_all
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.split import UnionFind, split_groups
from training.errors import DatasetError


def test_each_class_gives_its_share() -> None:
    labels = [0] * 100 + [1] * 50 + [2] * 3
    sides = split_groups(labels, range(153), 0.2, 0, "abc")
    held = [sides[:100].count("val"), sides[100:150].count("val"), sides[150:].count("val")]
    assert held == [20, 10, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_group_that_is_most_of_its_class_stays_in_training(seed: int) -> None:
    groups = [0] * 90 + list(range(1, 11))
    sides = split_groups([0] * 100, groups, 0.2, seed, "a")
    assert sides[:90] == ["train"] * 90
    assert sides.count("val") >= 9
    pair = split_groups([0] * 100, [0] * 60 + [1] * 40, 0.2, seed, "a")
    assert pair.count("val") == 40


def test_a_seed_repeats_the_split_and_another_changes_it() -> None:
    labels = [0, 1] * 50
    one, same, other = (split_groups(labels, range(100), 0.2, seed, "ab") for seed in (1, 1, 2))
    assert one == same
    assert one != other


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 15)), min_size=1, max_size=60), st.integers(0, 5))
def test_no_group_stands_on_both_sides_and_no_class_on_one_alone(photos: list[tuple[int, int]], seed: int) -> None:
    groups = [10_000 * label + group for label, group in photos] + [1, 2, 10_001, 10_002, 20_001, 20_002]
    labels = [group // 10_000 for group in groups]
    sides = split_groups(labels, groups, 0.2, seed, "abc")
    assert not set(zip(groups, sides, strict=True)) & {
        (group, {"train": "val", "val": "train"}[side]) for group, side in zip(groups, sides, strict=True)
    }
    assert set(zip(labels, sides, strict=True)) == {(label, side) for label in range(3) for side in ("train", "val")}


def test_a_class_of_one_photo_or_of_near_duplicates_alone_is_refused() -> None:
    with pytest.raises(DatasetError, match="'b' has 1 readable photo, but needs at least two that differ"):
        split_groups([0, 0, 1], [0, 1, 2], 0.2, 0, "ab")
    with pytest.raises(DatasetError, match="'b' has 2 readable photos, but needs at least two that differ"):
        split_groups([0, 0, 1, 1], [0, 1, 2, 2], 0.2, 0, "ab")


def test_groups_join_through_chains() -> None:
    groups = UnionFind(6)
    groups.join(5, 4)
    groups.join(4, 2)
    groups.join(1, 0)
    assert groups.numbers() == [0, 0, 2, 3, 2, 2]


def test_copies_and_re_encoded_photos_are_near_duplicates_and_others_are_not(
    tmp_path: Path, make_photos: Callable[..., list[Path]]
) -> None:
    paths = make_photos(tmp_path, "green", 12)
    copy, small = tmp_path / "copy.jpg", tmp_path / "small.png"
    copy.write_bytes(paths[3].read_bytes())
    Image.open(paths[5]).resize((48, 40), Image.Resampling.BICUBIC).save(small)
    found = decode_all([*paths, copy, small], Geometry(size_px=64))
    groups = find_near_duplicates(found.hashes, found.difference_hashes, found.rows, found.pixels)
    assert groups == [*range(12), 3, 5]


def test_plain_photos_of_other_colours_are_no_near_duplicates_although_they_look_alike_in_grey() -> None:
    pixels = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (0, 90, 91, 255)])
    hashes = tuple(bytes([number]) for number in range(4))
    groups = find_near_duplicates(hashes, np.zeros(4, np.uint64), np.arange(4), pixels)
    assert groups == [0, 1, 1, 3]
