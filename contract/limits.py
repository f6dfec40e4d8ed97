"""Limits while a model is opened and verified: in an untrusted model a few bytes can request terabytes."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import onnxruntime as ort

MODEL_MEMORY_BYTES = 4 << 30
"""Most memory to open and verify a model on the CPU. MobileNetV2 needs 60 MB, the largest model 3 GB."""

PROOF_S = 60.0
"""Longest replay of a golden sample. That of the shipped model takes 0.1 s on one core."""


@contextmanager
def memory_limit(most: int = MODEL_MEMORY_BYTES) -> Iterator[None]:
    """Let the process grow at most by `most` bytes inside the block. Larger allocations fail, without a kill."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _held_bytes() + most
    if soft != resource.RLIM_INFINITY and soft <= limit:  # a stricter limit is set
        yield
        return
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def time_limit() -> Iterator[ort.RunOptions]:
    """Yield run options that end a run with an error, between two operations, after `PROOF_S`."""
    options = ort.RunOptions()
    timer = threading.Timer(PROOF_S, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()
        timer.join()


def _held_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0
