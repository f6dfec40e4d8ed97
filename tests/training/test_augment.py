"""One affine warp carries crop, zoom, shift, rotation, shear and flip, one matrix the colours, each in its bounds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from training.fit.augment import FILL, LUMA, augment_batch, draw_matrix, warp
from training.recipe.augmentation import RANGES, Augmentation

SIZE = 32
Centre = Callable[[NDArray[np.uint8]], NDArray[np.float64] | float]
GOLDEN = (-0.9212438501327, 0.0885666489136, 154.6273621042029, 0.0834982097710, 0.9771644309745, -9.5819876547568)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A smooth ramp: red to the right, green down."""
    ramp = np.linspace(10, 240, SIZE)
    return np.stack([np.tile(ramp, (SIZE, 1)), np.tile(ramp[:, None], (1, SIZE)), np.full((SIZE, SIZE), 90)], 2).astype(
        np.uint8
    )


def matrices(augmentation: Augmentation, count: int = 200) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return np.array([draw_matrix(augmentation, SIZE, rng) for _ in range(count)])


def generators(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, number)) for number in range(count)]


def corners(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the output's corners lie in the input."""
    a, b, c, d, e, f = matrix
    return np.array([(a * x + b * y + c, d * x + e * y + f) for x in (0, SIZE) for y in (0, SIZE)])


def test_an_idle_augmentation_changes_nothing(photo: NDArray[np.uint8]) -> None:
    assert Augmentation().idle
    assert np.array_equal(augment_batch([photo], Augmentation(), generators(1)), photo[None])
    assert np.array_equal(warp(photo, draw_matrix(Augmentation(), SIZE, np.random.default_rng(0))), photo)


def test_a_flip_mirrors_left_and_right_half_of_the_time(photo: NDArray[np.uint8]) -> None:
    batch = augment_batch([photo] * 200, Augmentation(flip=True), generators(200))
    mirrored = (batch == photo[:, ::-1]).all(axis=(1, 2, 3))
    assert ((batch == photo).all(axis=(1, 2, 3)) | mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_a_crop_stays_inside_the_photo_and_keeps_its_least_share() -> None:
    found = matrices(Augmentation(crop=0.5, aspect=0.2))
    sides = found[:, [0, 4]]
    assert sides.min() >= 0.5 / 1.2**0.5 - 1e-9
    assert sides.max() <= 1.0
    assert sides.min() < 0.55
    for matrix in found:
        assert corners(matrix).min() >= -1e-6
        assert corners(matrix).max() <= SIZE + 1e-6


def test_a_shift_moves_by_its_share_at_most() -> None:
    found = matrices(Augmentation(shift=0.1))
    assert np.abs(found[:, [2, 5]]).max() <= 0.1 * SIZE
    assert np.abs(found[:, [2, 5]]).max() > 0.09 * SIZE


def test_a_rotation_turns_about_the_centre_within_its_angle() -> None:
    found = matrices(Augmentation(rotation_deg=20))
    angles = np.degrees(np.arctan2(found[:, 3], found[:, 0]))
    assert 19 < np.abs(angles).max() <= 20
    middle = found[:, [0, 3]] * SIZE / 2 + found[:, [1, 4]] * SIZE / 2 + found[:, [2, 5]]
    assert np.allclose(middle, SIZE / 2)


def test_a_shear_slants_within_its_angle() -> None:
    found = matrices(Augmentation(shear_deg=15))
    assert 14 < np.degrees(np.arctan(np.abs(found[:, 1]))).max() <= 15
    assert np.allclose(found[:, 3], 0)


def test_a_zoom_keeps_middle_and_proportions_within_its_share() -> None:
    found = matrices(Augmentation(zoom=0.3))
    assert 0.7 <= found[:, 0].min() < 0.72
    assert 1.28 < found[:, 0].max() <= 1.3
    assert np.array_equal(found[:, 0], found[:, 4])
    assert np.allclose(found[:, 0] * SIZE / 2 + found[:, 2], SIZE / 2)


def test_warps_of_a_seed_stay_what_they_were() -> None:
    """Or a training that goes on after an update would see other photos than it began with."""
    warps = Augmentation(crop=0.6, aspect=0.15, shift=0.03, rotation_deg=8.0, flip=True)
    matrix = draw_matrix(warps, 160, np.random.default_rng((0, 1, 2)))
    assert np.allclose(matrix, GOLDEN, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "centre"),
    [
        (Augmentation(contrast=0.2), np.mean),
        (Augmentation(brightness=0.2), lambda photo: 0.0),
        (Augmentation(saturation=0.2), lambda photo: photo @ np.array(LUMA)),
    ],
)
def test_colours_change_within_their_share(photo: NDArray[np.uint8], kind: Augmentation, centre: Centre) -> None:
    batch = augment_batch([photo] * 200, kind, generators(200)).astype(np.float64)
    still = np.broadcast_to(np.asarray(centre(photo)), photo.shape[:2])[..., None]
    far = np.abs(photo - still) > 60  # elsewhere rounding is as large as the change
    unclipped = far & (batch > 0).all(axis=0) & (batch < 255).all(axis=0)
    factors = ((batch - still) / (photo - still))[:, unclipped]
    assert np.ptp(factors, axis=1).max() < 0.02, "one factor for all pixels of a photo"
    assert 0.79 < factors.min() < 0.82
    assert 1.18 < factors.max() < 1.21


def test_colours_do_not_move_the_warp_and_fill_keeps_its_colour() -> None:
    grey = np.full((SIZE, SIZE, 3), 90, np.uint8)
    turned = Augmentation(rotation_deg=45, shift=0.5)
    coloured = Augmentation(rotation_deg=45, shift=0.5, brightness=0.5, contrast=0.5, saturation=0.5)
    plain, changed = (augment_batch([grey] * 20, kind, generators(20)) for kind in (turned, coloured))
    filled = (plain == FILL).all(axis=3)
    assert filled.any()
    assert np.array_equal(filled, (changed == FILL).all(axis=3))


def test_every_number_has_its_range() -> None:
    numbers = {item.name for item in fields(Augmentation) if item.type is not bool}
    assert numbers == set(RANGES)


def test_a_seed_repeats_a_batch_also_in_threads(photo: NDArray[np.uint8]) -> None:
    strong = Augmentation(0.6, 0.1, 0.1, 15, 5, flip=True, zoom=0.2, contrast=0.2, brightness=0.2, saturation=0.2)
    alone = augment_batch([photo] * 8, strong, generators(8, 3))
    with ThreadPoolExecutor(4) as pool:
        pooled = augment_batch([photo] * 8, strong, generators(8, 3), pool)
    assert np.array_equal(alone, pooled)
    assert not np.array_equal(alone[0], alone[1])
    assert alone.shape == (8, SIZE, SIZE, 3)
    assert alone.dtype == np.uint8
