"""Inference: photos with pixels get scores, or a fault if the model's output is not numeric."""

import time

import numpy as np
from numpy.typing import NDArray

from common.errors import DeviceError, GpuLostError, PhotoError, Reason
from contract.batches import Batches, size_for
from contract.session import Model
from daemon.classify.buckets import BUCKETS, Buckets
from daemon.photo import Photo


def classify(model: Model, photos: list[Photo], buckets: Buckets | None = None) -> None:
    """Fill in the scores of photos that have pixels, or a fault if there are none, and drop the pixels.

    The CPU takes all photos in one call. CUDA takes batches that are padded to a bucket, and smaller batches while GPU
    memory is short.

    Args:
        model: its device decides how the photos are batched.
        photos: at most as many as the largest bucket.
        buckets: remembers which batch sizes fitted into GPU memory.

    Raises:
        GpuMemoryError: not even the smallest bucket fits; photos without scores keep their pixels.
        GpuLostError: this process cannot use the GPU any more.
        GpuError: the GPU fails for an unknown reason.
    """
    ready = [photo for photo in photos if photo.pixels is not None]
    if model.batches is not None:
        _classify_in_buckets(model, model.batches, ready, buckets or Buckets())
    elif ready:
        _classify_together(model, ready, len(ready))


def _classify_in_buckets(model: Model, batches: Batches, photos: list[Photo], buckets: Buckets) -> None:
    while photos:
        size = size_for(min(len(photos), buckets.largest()))
        try:
            _classify_together(model, photos[:size], size)
        except DeviceError as error:
            for larger in BUCKETS[1:]:
                if larger >= size:
                    batches.drop(larger)
            if isinstance(error, GpuLostError) or not buckets.shrink(size, str(error.args[0])):
                raise
        else:
            buckets.fitted(size)
            photos = photos[size:]


def _classify_together(model: Model, photos: list[Photo], size: int) -> None:
    started_s = time.perf_counter()
    pixels = [photo.pixels for photo in photos if photo.pixels is not None]
    if size == 1:
        images = pixels[0][np.newaxis]
    else:
        images = np.zeros((size, *pixels[0].shape), np.uint8)
        np.stack(pixels, out=images[: len(pixels)])
    scores = model.run(images)
    took_ms = 1e3 * (time.perf_counter() - started_s) / len(photos)
    for row, photo in enumerate(photos):
        photo.pixels = None
        photo.times_ms["infer"] = took_ms
        if _are_probabilities(scores[row]):
            photo.scores = scores[row]
        else:
            photo.fault = PhotoError(
                Reason.UNJUDGED, f"the model {model.sha256[:12]} gave no valid scores for this picture"
            )


def _are_probabilities(scores: NDArray[np.float32]) -> bool:
    """Return whether scores add up to about 1. NaN fails, because every comparison with NaN is false."""
    return 0.9 < np.add.reduce(scores) < 1.1 and bool(np.minimum.reduce(scores) > -0.1)


def warm(model: Model, buckets: Buckets | None = None) -> None:
    """Prepare every bucket on CUDA, so that the first photos are not slower; on the CPU there is nothing to do.

    Buckets that do not fit into GPU memory are left out, and `buckets` remembers the limit.

    Raises:
        GpuMemoryError, GpuLostError: not even one photo can be classified.
    """
    if model.batches is None:
        return
    buckets = buckets or Buckets()
    for size in BUCKETS:
        try:
            model.batches.prepare(size)
        except DeviceError as error:
            model.batches.drop(size)
            if isinstance(error, GpuLostError) or not buckets.shrink(size, str(error.args[0])):
                raise
            return
