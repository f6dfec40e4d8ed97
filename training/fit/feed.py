"""Batches for the network: each batch is drawn, augmented and stacked while earlier ones are being computed.

Order and augmentation depend only on seed, epoch and photo, so a resumed training sees the same batches as one without
interruption.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.fit.augment import augment_batch
from training.recipe.augmentation import Augmentation

Batch = tuple[NDArray[Any], NDArray[np.float32]]


class BatchFeed:
    """Training batches, one epoch at a time. It is a context manager, because it owns threads.

    Args:
        pixels: uint8 [rows, S, S, 3], usually memory-mapped.
        rows: rows of the training photos.
        labels: classes of the training photos.
        classes: number of classes.
        batch_size: photos per batch. Photos that do not fill a batch are left out of the epoch (different ones each
            time), unless there are fewer photos than one batch.
        then: what the photos of a batch pass through before the network that learns gets them, such as frozen blocks;
            called in other threads, for several batches at the same time.
        ahead: batches that are being prepared while one is computed.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: NDArray[np.int64],
        classes: int,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        then: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None,
        ahead: int = 1,
    ) -> None:
        self._pixels, self._rows, self._labels = pixels, rows, labels
        self._targets = np.eye(classes, dtype=np.float32)
        self.batch_size = min(batch_size, len(rows))
        self._augmentation, self._seed, self._then, self._ahead = augmentation, seed, then, ahead
        self._warpers = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "warp")
        self._makers = ThreadPoolExecutor(ahead, "feed")

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(self._rows) // self.batch_size

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield inputs [B, ...] and one-hot targets float32 [B, classes], and prepare the next batches meanwhile.

        Without `then` the inputs are the photos, uint8 [B, S, S, 3].
        """
        order = np.random.default_rng((self._seed, number)).permutation(len(self._rows))
        picks = order[: self.steps * self.batch_size].reshape(self.steps, self.batch_size)
        coming = deque(self._makers.submit(self._make, number, pick) for pick in picks[: self._ahead])
        for pick in picks[self._ahead :]:
            batch = coming.popleft().result()
            coming.append(self._makers.submit(self._make, number, pick))
            yield batch
        while coming:
            yield coming.popleft().result()

    def _make(self, epoch: int, pick: NDArray[np.int64]) -> Batch:
        photos = [np.asarray(self._pixels[row]) for row in self._rows[pick]]
        # Numbers start at 1, because numpy pads seeds with zeros, and (seed, epoch) is the seed of the order.
        rngs = (np.random.default_rng((self._seed, epoch, photo + 1)) for photo in pick)
        warped = augment_batch(photos, self._augmentation, rngs, self._warpers)
        return self._then(warped) if self._then else warped, self._targets[self._labels[pick]]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._makers.shutdown(cancel_futures=True)
        self._warpers.shutdown(cancel_futures=True)
