"""On CUDA a model has one session for each of a few fixed batch sizes.

A session keeps the cuDNN plans of the last batch size only. On an H200 each change of size cost 0.6 s, even back to an
earlier size. There, 8 photos took as long as one, and more than 64 at once were not faster (docs/gpu.md).
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnxruntime as ort

from contract.answers import Answers, ask, joined
from contract.geometry import Pixels
from contract.golden import Answer
from contract.gpu import gpu_error

CUDA_BATCHES: Mapping[int, float] = {8: 0.25, 64: 0.75}
"""Batch sizes in rising order, each with its share of the memory."""


class Batches:
    """The sessions of one model.

    Args:
        reopen: opens a session that may use this share of the memory.
        prove: replays the golden sample and returns the largest difference.
        familiar: whether the model has the outputs of familiarity.
    """

    def __init__(
        self, reopen: Callable[[float], ort.InferenceSession], prove: Callable[[Answer], float], *, familiar: bool
    ) -> None:
        self._reopen = reopen
        self._prove = prove
        self._familiar = familiar
        self._ready: dict[int, ort.InferenceSession] = {}

    def answer(self, images: Pixels) -> Answers:
        """Answer uint8 [n, size, size, 3]. Batches are padded to a fixed size.

        Raises:
            ModelError, GpuMemoryError, GpuLostError: as in `prepare`.
        """
        most = max(CUDA_BATCHES)
        parts = []
        for first in range(0, len(images), most):
            some = images[first : first + most]
            size = size_for(len(some))
            self.prepare(size)
            parts.append(self._filled(self._ready[size], some, size))
        return joined(parts)

    def prepare(self, size: int) -> float:
        """Open and verify the session of a batch size, unless that is done.

        Returns:
            The largest difference from the golden sample in batches of that size; 0 if the session was open.

        Raises:
            ModelError: the model does not compute what was verified.
            GpuMemoryError: the batch does not fit into the memory of the GPU. A smaller batch may fit.
            GpuLostError: the GPU cannot be used in this process any more.
        """
        if size in self._ready:
            return 0.0
        session = self._reopen(CUDA_BATCHES[size])
        difference = self._prove(lambda images: self._filled(session, images, size))
        self._ready[size] = session
        return difference

    def drop(self, size: int) -> None:
        """Close the session of a batch size to free its GPU memory."""
        self._ready.pop(size, None)

    def _filled(self, session: ort.InferenceSession, images: Pixels, size: int) -> Answers:
        count = len(images)
        if count < size:
            images = np.concatenate([images, np.zeros((size - count, *images.shape[1:]), np.uint8)])
        try:
            return ask(session, images, familiar=self._familiar).first(count)
        except Exception as error:  # onnxruntime's own exceptions share no base class but this
            raise gpu_error(error) from error


def size_for(count: int) -> int:
    """Return the smallest batch size that holds `count` photos, at most the largest one."""
    return next(size for size in CUDA_BATCHES if size >= count)
