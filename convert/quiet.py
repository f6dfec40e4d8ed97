"""Hide the start-up messages of TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def discard_stderr() -> Iterator[None]:
    """Discard what an import writes to file descriptor 2.

    TensorFlow 2.21 writes six lines from C++ before it reads its log level, so TF_CPP_MIN_LOG_LEVEL does not stop them.
    An import that fails still raises its exception.
    """
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
