"""Keep what libraries print themselves away from those who read what phototriage says.

Decoders are C code. Some write to the descriptors of standard output and error, which no option of Pillow turns off: of
one TIFF of 400 kB, libtiff says 59,165 lines. While photos are decoded these two descriptors lead nowhere, and Python's
own streams, to which tracebacks and the words of a crash go too, lead to where they led before.
"""

import faulthandler
import fcntl
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def silenced() -> Iterator[None]:
    """Let nothing through but what is written to Python's streams, or to copies of the descriptors made before.

    Python's warnings are left out too: they are about the photos of strangers.
    """
    with warnings.catch_warnings(), _leading_nowhere("stdout", 1), _leading_nowhere("stderr", 2):
        warnings.simplefilter("ignore")
        enabled = faulthandler.is_enabled()
        faulthandler.enable(sys.stderr.fileno() if _writes_to_file(sys.stderr) else 2)
        try:
            yield
        finally:
            faulthandler.disable()
            if enabled:
                faulthandler.enable(2)


def restore() -> None:
    """Let the descriptors lead again to where Python's streams do, before another program takes over the process."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        if _writes_to_file(stream):
            os.dup2(stream.fileno(), number)


@contextmanager
def _leading_nowhere(name: str, number: int) -> Iterator[None]:
    stream: TextIO = getattr(sys, name)
    kept = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
    moves = _writes_to_file(stream) and stream.fileno() == number
    try:
        stream.flush()
        if moves:
            setattr(sys, name, _moved(stream, kept))
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nothing, number)
        os.close(nothing)
        yield
    finally:
        os.dup2(kept, number)
        try:
            if moves:
                getattr(sys, name).flush()
        finally:
            setattr(sys, name, stream)
            os.close(kept)


def _moved(stream: TextIO, descriptor: int) -> TextIO:
    """Return a stream that behaves like another one, and writes to a copy of its file."""
    raw = type(stream.buffer.raw)(descriptor, "w", closefd=False)  # type: ignore[attr-defined]
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True)


def _writes_to_file(stream: TextIO | None) -> bool:
    """Tell whether a stream is one of Python's, not of a test that reads along or of nobody."""
    with suppress(AttributeError, OSError, ValueError):
        return stream is not None and isinstance(stream.buffer.raw, io.FileIO)  # type: ignore[attr-defined]
    return False
