"""A GPU that fails on demand: the faults are written by hand, in onnxruntime's words; what it answers is computed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from contract.batches import Batches
from contract.golden import replay
from contract.metadata import INPUT_NAME
from contract.session import Model
from daemon.classify.classify import warm
from tests.daemon.support import model

FULL = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Available memory of 64 is smaller than requested bytes of 256"
ILLEGAL = "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access was encountered ; GPU=0"


class Gpu:
    """Stands in for a session on CUDA.

    Attributes:
        fits: most photos of a batch for which it has memory.
        fault: raised by every run when set.
        runs: sizes of the batches that it computed.
        opened: shares of the memory with which a session was opened.
        wrong_at: batch size at which it computes something else.
        before: called with the size before each one.
    """

    def __init__(self, fits: int = 64) -> None:
        self._session = model().session
        self.fits = fits
        self.fault = ""
        self.wrong_at = 0
        self.runs: list[int] = []
        self.opened: list[float] = []
        self.before: Callable[[int], None] = lambda size: None

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def run(self, names: list[str], feeds: dict[str, Any], _options: object = None) -> list[Any]:
        size = len(feeds[INPUT_NAME])
        self.before(size)
        if self.fault or size > self.fits:
            raise RuntimeError(self.fault or FULL)
        self.runs.append(size)
        answers = list(self._session.run(names, feeds))
        return [1 - answer for answer in answers] if size == self.wrong_at else answers


def on_gpu(gpu: Gpu) -> Model:
    """The colour model as if CUDA ran it."""

    def reopen(share: float) -> Gpu:
        gpu.opened.append(share)
        return gpu

    batches = Batches(reopen, lambda run: replay(run, model().contract, "cuda"), familiar=False)
    return replace(model(), provider="cuda", session=gpu, batches=batches)


def ready(gpu: Gpu) -> Model:
    """The same with every batch size ready, and what that took forgotten."""
    made = on_gpu(gpu)
    warm(made)
    gpu.runs.clear()
    return made
