"""Copies are found that a hash misses, and photos that only look alike are not taken for copies."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.broad.copies import COPIES, copied
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.neighbours import mutual_neighbours
from training.dataset.prepare import prepare
from training.dataset.samples import Samples
from training.dataset.second_look import same_picture
from training.progress import Reporter
from training.recipe.recipe import Recipe

Pixels = NDArray[np.uint8]


def _landscape(seed: int) -> Pixels:
    """Light above and dark below, with patches of its own."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).resize((96, 96), Image.Resampling.BICUBIC)
    sky = np.linspace(230, 30, 96)[:, None, None]
    return np.asarray(0.6 * sky + 0.4 * np.asarray(patches), np.uint8)


def _hashes(count: int) -> tuple[list[bytes], NDArray[np.uint64]]:
    """Hashes that are far apart, so that only features can tell."""
    rng = np.random.default_rng(0)
    return [bytes([number]) for number in range(count)], rng.integers(0, 1 << 63, count).astype(np.uint64)


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_the_same_picture_and_a_similar_one_is_not(change: str) -> None:
    photos = np.stack([_landscape(seed) for seed in range(8)])
    changed = copied(photos, COPIES[change])
    same = [[same_picture(one, other) for other in changed] for one in photos]
    assert np.array_equal(same, np.eye(8, dtype=bool))


def test_plain_pictures_are_not_the_same_picture_by_the_same_faint_grain() -> None:
    grain = np.random.default_rng(0).integers(0, 4, (24, 24, 1), np.uint8).repeat(4, 0).repeat(4, 1).repeat(3, 2)
    assert not same_picture(100 + grain, 180 + grain)
    assert same_picture(100 + 20 * grain, 120 + 20 * grain), "the same pattern, no longer faint"


def test_features_join_copies_that_pixels_confirm_and_no_photos_that_are_merely_close() -> None:
    pixels = np.stack([_landscape(0), _landscape(0)[:, ::-1], _landscape(1), _landscape(2), _landscape(3)])
    features = np.eye(5, 16, dtype=np.float32)
    features[1] = features[0] * 7 + np.float32(0.5)  # the length says nothing
    features[3] = features[2] + np.float32(0.01)  # as close as a copy, but another picture
    groups = find_near_duplicates(*_hashes(5), np.arange(5), pixels, features)
    assert groups == [0, 0, 2, 3, 4]
    assert find_near_duplicates(*_hashes(5), np.arange(5), pixels) == [0, 1, 2, 3, 4]


def test_identical_files_do_not_hide_a_changed_copy() -> None:
    pixels = np.stack([*[_landscape(0)] * 6, _landscape(0)[:, ::-1]])
    hashes, bits = _hashes(7)
    features = np.ones((7, 4), np.float32)
    features[6, 0] = 1.5
    assert find_near_duplicates([hashes[0]] * 6 + hashes[6:], bits, np.arange(7), pixels, features) == [0] * 7


def _receipt(text: int) -> Pixels:
    """A page with the head of one shop and lines of its own."""
    page = np.full((160, 160, 3), 250, np.uint8)
    page[12:20, 50:110] = 60
    rng = np.random.default_rng(text)
    for line in range(40, 140, 10):
        start = 30 + rng.integers(0, 40)
        page[line : line + 3, start : start + rng.integers(15, 60)] = 80
    return page


def _saved_again(photo: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(photo).resize((120, 120)).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file).resize((160, 160), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("features", [None, np.ones((5, 4), np.float32)], ids=["by hash", "by features too"])
def test_pages_of_one_form_are_no_copies_but_one_that_was_saved_again_is(features: NDArray[np.float32] | None) -> None:
    pixels = np.stack(
        [_receipt(1), _receipt(2), _saved_again(_receipt(1)), _receipt(3), np.full_like(_receipt(0), 250)]
    )
    hashes, _ = _hashes(5)
    groups = find_near_duplicates(hashes, np.zeros(5, np.uint64), np.arange(5), pixels, features)
    assert groups == [0, 1, 0, 3, 4]


@pytest.mark.parametrize("count", [600, 20_500])
def test_mutual_neighbours_are_found_among_few_and_most_of_them_among_many(count: int) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((count, 48)).astype(np.float32)
    planted = {(number, count - 1 - number) for number in range(100)}
    for one, other in planted:
        features[other] = 3 * features[one] + 0.3 * features[other]
    found = list(mutual_neighbours(features, np.arange(count), 0.9))
    assert len(found) == len(set(found))
    assert set(found) <= planted
    assert len(found) == 100 if count == 600 else len(found) >= 80


def test_a_photo_that_is_near_to_many_is_the_neighbour_of_its_nearest_alone() -> None:
    features = np.eye(12, dtype=np.float32)
    features[:, 11] = np.linspace(3, 2.5, 12)  # photo 11 points where the others come close to each other
    features[11, :11] = 0
    assert {pair for pair in mutual_neighbours(features, np.arange(12), 0.9) if 11 in pair} == {
        (0, 11),
        (1, 11),
        (2, 11),
    }


def test_few_photos_are_not_too_few_for_neighbours() -> None:
    alike = np.ones((3, 4), np.float32)
    found = [list(mutual_neighbours(alike, np.arange(3)[3 - count :], 0.9)) for count in range(3)]
    assert found == [[], [], [(1, 2)]]


def test_copies_are_found_among_hundreds_of_photos_with_one_hash() -> None:
    colours = np.random.default_rng(0).permutation(12**3)[:400]
    pixels = np.stack(
        [np.full((16, 16, 3), (n % 12 * 20, n // 12 % 12 * 20, n // 144 * 20), np.uint8) for n in colours]
    )
    pixels[399] = pixels[0] + 2
    hashes = [number.to_bytes(2, "big") for number in range(400)]
    groups = find_near_duplicates(hashes, np.zeros(400, np.uint64), np.arange(400), pixels)
    assert groups == [*range(399), 0]


def test_copies_found_by_features_stay_on_one_side(
    tmp_path: Path, make_dataset: Callable[..., Path], reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos" / "train", ("a", "b"), count=4).parent
    make_dataset(root / "val", ("a", "b"), count=2, seed=1)
    photo = Image.fromarray(_landscape(5))
    photo.save(root / "train" / "a" / "copy.png")
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "val" / "a" / "mirrored.png")

    def describe(samples: Samples) -> NDArray[np.float32]:
        features = np.eye(len(samples.photos), 32, dtype=np.float32)
        features[[place for place, photo in enumerate(samples.photos) if photo.name[0] in "cm"]] = 1
        return features

    assert len(prepare(root, None, Recipe(), reporter).samples.of("train").photos) == 9
    assert len(prepare(root, None, Recipe(), reporter, describe=describe).samples.of("train").photos) == 8
    assert "1 training photos are left out, because validation or test photos show the same." in story.getvalue()
