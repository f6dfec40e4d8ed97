"""Inference: pictures get what the model answers, or a fault if that is not numeric."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import DeviceError, GpuLostError, PhotoError, Reason
from contract.answers import Answers
from contract.batches import Batches, size_for
from contract.geometry import Pixels
from contract.session import Model
from daemon.classify.buckets import BUCKETS, Buckets

MAX_FAMILIARITY = 1.1
"""A familiarity beyond it is no rounding error: it is at most the cosine to a centre."""


class Answer(NamedTuple):
    """What the model answers for one picture: scores or a fault.

    Attributes:
        scores: float32 [classes], adding up to one.
        fault: why there are none.
        infer_ms: the picture's share of the time that its batch took.
        familiarity: how like the photos learnt from; None for a model without familiarity, as what follows.
        nearest: number of the class of the nearest centre.
        embedding: float32 [D], of length one.
    """

    scores: NDArray[np.float32] | None
    fault: PhotoError | None
    infer_ms: float
    familiarity: float | None = None
    nearest: int | None = None
    embedding: NDArray[np.float32] | None = None


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
    answers = model.answer(images)
    took_ms = 1e3 * (time.perf_counter() - started_s) / len(pictures)
    return [_answer(model, answers, number, took_ms) for number in range(len(pictures))]


def _answer(model: Model, answers: Answers, number: int, took_ms: float) -> Answer:
    scores = answers.probabilities[number]
    if not _are_probabilities(scores):
        return _invalid(model, "scores", took_ms)
    if answers.familiarity is None or answers.nearest is None or answers.embedding is None:
        return Answer(scores, None, took_ms)
    familiarity, nearest = float(answers.familiarity[number]), int(answers.nearest[number])
    if not (abs(familiarity) < MAX_FAMILIARITY and 0 <= nearest < len(scores)):  # also where it is NaN
        return _invalid(model, "familiarity", took_ms)
    return Answer(scores, None, took_ms, familiarity, nearest, answers.embedding[number])


def _invalid(model: Model, what: str, took_ms: float) -> Answer:
    detail = f"the model {model.sha256[:12]} gave no valid {what} for this picture"
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
