"""Inference: photos with pixels become photos with scores."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from contract.errors import DeviceError, GpuMemoryError
from contract.session import Model
from daemon.buckets import BUCKETS, Buckets, bucket_of
from daemon.photo import Photo

__all__ = ["BUCKETS", "bucket_of", "classify", "warm"]


def classify(model: Model, photos: list[Photo], buckets: Buckets | None = None) -> None:
    """Fill in `scores` of those that have pixels, and drop the pixels.

    On the CPU in one call; on CUDA each batch is filled up to its bucket, and halved while the GPU's memory is short.

    Args:
        model: where it runs says how.
        photos: not more than the largest bucket.
        buckets: remembers what fitted into the GPU's memory.

    Raises:
        GpuMemoryError: not even one photo fits; those without scores keep their pixels.
        GpuLostError: nothing runs on the GPU in this process any more.
    """
    ready = [photo for photo in photos if photo.pixels is not None]
    if model.provider == "cuda":
        _classify_in_buckets(model, ready, buckets or Buckets())
    elif ready:
        _classify_together(model, ready, len(ready))


def _classify_in_buckets(model: Model, photos: list[Photo], buckets: Buckets) -> None:
    while photos:
        size = bucket_of(min(len(photos), buckets.largest()))
        try:
            model.prepare(size)
            _classify_together(model, photos[:size], size)
        except DeviceError as error:
            _make_do(model, size, error, buckets)
        else:
            buckets.fitted(size)
            photos = photos[size:]


def _make_do(model: Model, size: int, error: DeviceError, buckets: Buckets) -> None:
    """Go on with smaller batches where those run; raise the error where none do.

    cuBLAS and cuDNN have many words for a lack of memory, so that whether the GPU is lost is found out by using it.
    """
    for larger in BUCKETS[BUCKETS.index(size) :]:
        model.drop(larger)
    if not isinstance(error, GpuMemoryError):
        if size == BUCKETS[0]:
            raise error
        side = model.contract.geometry.size_px
        model.prepare(BUCKETS[0])
        model.run(np.zeros((BUCKETS[0], side, side, 3), np.uint8))
    if not buckets.shrink(size):
        raise error


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
        photo.scores, photo.pixels = scores[row], None
        photo.times_ms["infer"] = took_ms


def warm(model: Model, buckets: Buckets | None = None) -> None:
    """Make every bucket ready on CUDA, so that the first photos do not pay for it; nothing to do on the CPU.

    Buckets for which the GPU has no memory are left out, and `buckets` remembers it.

    Raises:
        GpuMemoryError, GpuLostError: not even one photo can be classified.
    """
    if model.provider != "cuda":
        return
    buckets = buckets or Buckets()
    model.prepare(BUCKETS[0])
    with ThreadPoolExecutor(len(BUCKETS)) as pool:  # most of it is work of the processor, half a second for each
        prepared = [(size, pool.submit(model.prepare, size)) for size in BUCKETS[1:]]
    for size, done in reversed(prepared):
        try:
            done.result()
        except DeviceError as error:
            _make_do(model, size, error, buckets)
