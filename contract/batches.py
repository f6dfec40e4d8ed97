"""On CUDA a model has a session for each of a few batch sizes, and nothing else ever runs there.

A session keeps cuDNN's plans for the last batch size alone: on an H200 each change of size cost 0.6 s, also back to one
that had been run before. There, 8 photos took as long as one, and more than 64 at once brought nothing (docs/gpu.md).
"""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.geometry import Pixels
from contract.golden import Run
from contract.gpu import gpu_error
from contract.metadata import INPUT_NAME, OUTPUT_NAME

CUDA_BATCHES: Mapping[int, float] = {8: 0.25, 64: 0.75}
"""Batch sizes, rising, and which share of the memory each may take."""


class Batches:
    """The sessions of one model.

    Args:
        reopen: opens a session that may take such a share of the memory.
        prove: replays the golden sample, and returns the largest difference.
    """

    def __init__(self, reopen: Callable[[float], ort.InferenceSession], prove: Callable[[Run], float]) -> None:
        self._reopen = reopen
        self._prove = prove
        self._ready: dict[int, ort.InferenceSession] = {}

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Classify uint8 [n, size, size, 3]; returns float32 [n, classes]. What is no batch size is filled up to one.

        Raises:
            ModelError, GpuMemoryError, GpuLostError: as `prepare`.
        """
        most = max(CUDA_BATCHES)
        parts = []
        for first in range(0, len(images), most):
            some = images[first : first + most]
            size = size_for(len(some))
            self.prepare(size)
            parts.append(_run_filled(self._ready[size], some, size))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def prepare(self, size: int) -> float:
        """Make a batch size ready, so that it runs at once from now on.

        Returns:
            The largest difference from the golden sample in batches of that size; 0 if it was ready.

        Raises:
            ModelError: it does not compute what was verified.
            GpuMemoryError: fewer photos at once may fit into the GPU's memory; what this size took is given back.
            GpuLostError: nothing runs on the GPU in this process any more.
        """
        if size in self._ready:
            return 0.0
        session = self._reopen(CUDA_BATCHES[size])
        difference = self._prove(lambda images: _run_filled(session, images, size))
        self._ready[size] = session
        return difference

    def drop(self, size: int) -> None:
        """Give back what a batch size holds of the GPU's memory."""
        self._ready.pop(size, None)


def size_for(count: int) -> int:
    """Return the smallest batch size that holds `count` photos, at most the largest one."""
    return next(size for size in CUDA_BATCHES if size >= count)


def _run_filled(session: ort.InferenceSession, images: Pixels, size: int) -> NDArray[np.float32]:
    count = len(images)
    if count < size:
        images = np.concatenate([images, np.zeros((size - count, *images.shape[1:]), np.uint8)])
    try:
        return cast(NDArray[np.float32], session.run([OUTPUT_NAME], {INPUT_NAME: images})[0])[:count]
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise gpu_error(error) from error
