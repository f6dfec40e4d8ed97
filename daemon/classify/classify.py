"""Inference: pictures get scores, or a fault if the model's output is not numeric."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import DeviceError, GpuLostError, PhotoError, Reason
from contract.batches import Batches, size_for
from contract.geometry import Pixels
from contract.session import Model
from daemon.classify.buckets import BUCKETS, Buckets


class Answer(NamedTuple):
    """What the model answers for one picture: scores or a fault.

    Attributes:
        scores: float32 [classes], adding up to one.
        fault: why there are none.
        infer_ms: the picture's share of the time that its batch took.
    """

    scores: NDArray[np.float32] | None
    fault: PhotoError | None
    infer_ms: float


def classify(model: Model, pictures: Sequence[Pixels], buckets: Buckets | None = None) -> Iterator[Answer]:
    """Yield the model's answer for each picture, in order.

    The CPU takes all pictures in one call. CUDA takes batches that are padded to a bucket, and smaller batches while
    GPU memory is short.

    Args:
        model: its device decides how the pictures are batched.
        pictures: uint8 [size, size, 3] each; at most as many as the largest bucket.
        buckets: remembers which batch sizes fitted into GPU memory.

    Raises:
        GpuMemoryError: not even the smallest bucket fits; the pictures whose answers came before are classified.
        GpuLostError: this process cannot use the GPU any more.
        GpuError: the GPU fails for an unknown reason.
    """
    if model.batches is not None:
        yield from _classify_in_buckets(model, model.batches, pictures, buckets or Buckets())
    elif pictures:
        yield from _classify_together(model, pictures, len(pictures))


def _classify_in_buckets(
    model: Model, batches: Batches, pictures: Sequence[Pixels], buckets: Buckets
) -> Iterator[Answer]:
    while pictures:
        size = size_for(min(len(pictures), buckets.largest()))
        try:
            answers = _classify_together(model, pictures[:size], size)
        except DeviceError as error:
            for larger in BUCKETS[1:]:
                if larger >= size:
                    batches.drop(larger)
            if isinstance(error, GpuLostError) or not buckets.shrink(size, str(error.args[0])):
                raise
        else:
            buckets.fitted(size)
            pictures = pictures[size:]
            yield from answers


def _classify_together(model: Model, pictures: Sequence[Pixels], size: int) -> list[Answer]:
    started_s = time.perf_counter()
    if size == 1:
        images = pictures[0][np.newaxis]
    else:
        images = np.zeros((size, *pictures[0].shape), np.uint8)
        np.stack(pictures, out=images[: len(pictures)])
    scores = model.run(images)
    took_ms = 1e3 * (time.perf_counter() - started_s) / len(pictures)
    return [_answer(model, row, took_ms) for row in scores[: len(pictures)]]


def _answer(model: Model, scores: NDArray[np.float32], took_ms: float) -> Answer:
    if _are_probabilities(scores):
        return Answer(scores, None, took_ms)
    detail = f"the model {model.sha256[:12]} gave no valid scores for this picture"
    return Answer(None, PhotoError(Reason.UNJUDGED, detail), took_ms)


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
