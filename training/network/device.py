"""The device of Keras, and its memory errors."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from common.packages import keras_backend

# Keras and TensorFlow import these packages if they are installed, for functions that are not used here.
_UNUSED = ("pandas", "sklearn")


def describe_device() -> str:
    """Describe the device: the GPUs that the backend finds, or the CPU and its cores."""
    import keras

    # Without a type: JAX raises an error if it is asked for GPUs and has none.
    gpus = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    backend = keras.backend.backend()
    if gpus:
        return f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(gpus)}), by {backend}"
    return f"the CPU, {len(os.sched_getaffinity(0))} cores ({backend} sees no GPU)"


def start_keras(*, one_thread: bool = False) -> str:
    """Import Keras and its backend, and describe the device.

    Args:
        one_thread: let TensorFlow compute in one thread, so that two runs give the same bytes: with more threads, sums
            of gradients are rounded in another order each time. `repeats` says whether that could be had.

    On a machine without a GPU, TensorFlow writes a dozen alarming lines to file descriptor 2, some of them before it
    reads its log level. They are shown only if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # leave GPU memory to other processes
    with _stderr_on_error(), modules_hidden(_UNUSED):
        if one_thread:
            _compute_in_one_thread()
        return describe_device()


def _compute_in_one_thread() -> None:
    if not uses_tensorflow():
        return
    import tensorflow as tf

    with suppress(RuntimeError):  # TensorFlow computes already in this process
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def uses_tensorflow() -> bool:
    """Whether TensorFlow is the backend of Keras, which need not be imported for the answer."""
    return keras_backend() == "tensorflow"


def repeats() -> bool:
    """Whether two runs give the same bytes: TensorFlow computes in one thread, and there is no GPU."""
    if not uses_tensorflow():
        return False
    import tensorflow as tf

    threads = tf.config.threading.get_intra_op_parallelism_threads()
    also = tf.config.threading.get_inter_op_parallelism_threads()
    return threads == also == 1 and not tf.config.list_physical_devices("GPU")


@contextmanager
def modules_hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Hide modules from imports as if they were not installed. This saves a third of the start-up time of Keras."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            modules.pop(name, None)


@contextmanager
def _stderr_on_error() -> Iterator[None]:
    """Capture file descriptor 2, and show the output only if the block raises."""
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
    """Exceptions of the backend that mean out of memory."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return (MemoryError,)
    from tensorflow import errors

    return (MemoryError, errors.ResourceExhaustedError)
