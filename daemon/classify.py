"""Inference: photos with pixels become photos with scores."""

import time

import numpy as np

from contract.session import Model
from daemon.photo import Photo

BUCKETS = (1, 2, 4, 8, 16, 32, 64)
"""Batch sizes on CUDA: cuDNN prepares for each shape anew, so only these are used, and each is warmed before ready."""


def bucket_of(count: int) -> int:
    """Return the smallest bucket that holds `count` photos."""
    return next(size for size in BUCKETS if size >= count)


def classify(model: Model, photos: list[Photo]) -> None:
    """Fill in `scores` of those that have pixels, in one call, and drop the pixels.

    On CUDA the batch is filled up to its bucket; `photos` must not be more than the largest one.
    """
    ready = [photo for photo in photos if photo.pixels is not None]
    if not ready:
        return
    started_s = time.perf_counter()
    size = bucket_of(len(ready)) if model.provider == "cuda" else len(ready)
    side = model.contract.geometry.size_px
    images = np.zeros((size, side, side, 3), np.uint8)
    np.stack([photo.pixels for photo in ready if photo.pixels is not None], out=images[: len(ready)])
    scores = model.run(images)
    took_ms = 1e3 * (time.perf_counter() - started_s) / len(ready)
    for row, photo in enumerate(ready):
        photo.scores, photo.pixels = scores[row], None
        photo.times_ms["infer"] = took_ms


def warm(model: Model) -> None:
    """Run every bucket once on CUDA, so that the first photos do not pay for it; nothing to do on the CPU."""
    if model.provider != "cuda":
        return
    side = model.contract.geometry.size_px
    for size in BUCKETS:
        model.run(np.zeros((size, side, side, 3), np.uint8))
