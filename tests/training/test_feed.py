"""The feed gives every photo once an epoch, with its own label, and repeats with its seed, epoch by epoch."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.fit.feed import BatchFeed
from training.recipe.augmentation import Augmentation

PIXELS = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
ROWS = np.array([3, 5, 7, 9, 11, 13, 15], np.int64)
LABELS = np.array([0, 1, 0, 1, 0, 1, 0], np.int64)


def epoch(batch_size: int, seed: int = 0) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    with BatchFeed(PIXELS, ROWS, LABELS, 2, batch_size, Augmentation(), seed) as feed:
        batches = list(feed.epoch(1))
        assert len(batches) == feed.steps
        return batches


def test_every_photo_comes_with_its_label() -> None:
    photos, targets = (np.concatenate(parts) for parts in zip(*epoch(7), strict=True))
    assert sorted(photos[:, 0, 0, 0]) == list(ROWS)
    assert np.array_equal(targets.argmax(axis=1), (photos[:, 0, 0, 0] - 3) // 2 % 2)
    assert targets.dtype == np.float32


@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 3]), (7, [7]), (100, [7])])
def test_batches_are_full_and_a_small_dataset_is_one_batch(batch_size: int, sizes: list[int]) -> None:
    assert [len(photos) for photos, _ in epoch(batch_size)] == sizes


def test_a_seed_repeats_the_order_and_each_epoch_has_its_own() -> None:
    def order(seed: int) -> list[list[int]]:
        with BatchFeed(PIXELS, ROWS, LABELS, 2, 7, Augmentation(), seed) as feed:
            return [[int(photo[0, 0, 0]) for photos, _ in feed.epoch(number) for photo in photos] for number in (1, 2)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[0] != order(1)[1]


def test_an_epoch_is_the_same_whatever_came_before_it_and_each_photo_is_warped_anew_in_each() -> None:
    ramp = np.arange(7 * 8 * 8 * 3, dtype=np.uint8).reshape(7, 8, 8, 3)
    warps = Augmentation(crop=0.5, shift=0.1, flip=True)

    def epochs(*numbers: int) -> list[NDArray[np.uint8]]:
        with BatchFeed(ramp, np.arange(7), LABELS, 2, 3, warps, 0) as feed:
            return [np.concatenate([photos for photos, _ in feed.epoch(number)]) for number in numbers]

    assert np.array_equal(epochs(1, 2, 3)[2], epochs(3)[0])
    plain = BatchFeed(ramp[:1], np.zeros(1, np.int64), LABELS[:1], 2, 1, warps, 0)
    with plain:
        (first, _), (second, _) = next(plain.epoch(1)), next(plain.epoch(2))
    assert not np.array_equal(first, second)
