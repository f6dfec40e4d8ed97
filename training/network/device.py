"""Where Keras computes, and what its memory errors are called."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Keras and TensorFlow import these where they find them, for functions that nobody calls here.
_UNUSED = ("matplotlib", "pandas", "sklearn")


def describe_device() -> str:
    """Say where training runs: the GPUs that the backend sees, or the CPU and its cores."""
    import keras

    # Asked for GPUs by name, JAX raises where there are none; asked for the best there is, every backend answers.
    gpus = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    backend = keras.backend.backend()
    if gpus:
        return f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(gpus)}), by {backend}"
    return f"the CPU, {len(os.sched_getaffinity(0))} cores ({backend} sees no GPU)"


def start_keras() -> str:
    """Import Keras and its backend, and say where training runs.

    TensorFlow writes a dozen alarming lines to file descriptor 2 while it starts on a machine without a GPU, some of
    them before its own log level counts. They are held back, and shown only if it does not start.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # let others use the GPU's memory too
    with _held_back(), not_found(_UNUSED):
        return describe_device()


@contextmanager
def not_found(names: tuple[str, ...]) -> Iterator[None]:
    """Let modules that are not imported yet look as if they were not installed: a third of the time to start Keras."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            modules.pop(name, None)


@contextmanager
def _held_back() -> Iterator[None]:
    """Collect what is written to file descriptor 2, and show it only if an error ends the block."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def memory_errors() -> tuple[type[BaseException], ...]:
    """Exceptions that mean that a batch did not fit into memory."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return (MemoryError,)
    from tensorflow import errors

    return (MemoryError, errors.ResourceExhaustedError)
