"""Limits while a model is opened and proven: it may be a stranger's, and a few bytes can ask for terabytes."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import onnxruntime as ort

MODEL_MEMORY_BYTES = 4 << 30
"""What opening and proving may take on the CPU; MobileNetV2 takes 60 MB, a model as large as may be about 3 GB."""

PROOF_S = 60.0
"""What the replay of a golden sample may take; that of the shipped model takes 0.1 s on one core."""


@contextmanager
def memory_limit(most: int = MODEL_MEMORY_BYTES) -> Iterator[None]:
    """Let the process grow by so many bytes at most while the block lasts: more is a failed allocation, not a kill."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _held_bytes() + most
    if soft != resource.RLIM_INFINITY and soft <= limit:  # somebody set a stricter one
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
    """Yield options for runs that end with an error, between two operations, once `PROOF_S` is over."""
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
