"""Keep TensorFlow's start-up lines off the terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stderr_to_nowhere() -> Iterator[None]:
    """Send file descriptor 2 nowhere, for the time of an import.

    TensorFlow 2.21 writes six lines from C++ before its log level is read, so TF_CPP_MIN_LOG_LEVEL does not stop them.
    What goes wrong in an import comes as an exception, which this does not touch.
    """
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
