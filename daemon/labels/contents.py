"""Reads files of the output for a look: their hashes, and whether an edited file still shows the photo of a row."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

from daemon.files.confined import TO_READ
from daemon.labels.rows import RowId
from daemon.photo import Embedding

LEAST_COSINE = 0.99
"""An edited photo is nearly the same; two photos of a burst are less alike."""
_PIECE = 1 << 20

EmbeddingOf = Callable[[RowId], Embedding | None]
"""Returns the embedding that the photo of a row had when it was filed; None if it is not kept."""
EmbeddingAt = Callable[[str], Embedding | None]
"""Returns the embedding of the file at a place in the output; None if it shows no photo, or there is no model."""


class LookStoppedError(Exception):
    """The process is stopping; the look is dropped, and the next one begins where it began."""


def none_kept(_: RowId | str) -> None:
    """Return no embedding: edited photos are not known again."""


class OutputContents:
    """Reads files below an output.

    Args:
        output: root of the class folders.
        embedding_of: see there.
        embedding_at: see there.
        is_stopping: whether to stop.
    """

    def __init__(
        self,
        output: Path,
        embedding_of: EmbeddingOf = none_kept,
        embedding_at: EmbeddingAt = none_kept,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._output, self._is_stopping = output, is_stopping
        self._embedding_of, self._embedding_at = embedding_of, embedding_at

    def sha256(self, place: str) -> str:
        """Return the hash of a file's content; empty if it cannot be read.

        Raises:
            LookStoppedError: the process is stopping.
        """
        digest = hashlib.sha256()
        try:
            descriptor = os.open(self._output / place, TO_READ)
        except OSError:
            return ""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            while data := os.read(descriptor, _PIECE):
                if self._is_stopping():
                    raise LookStoppedError
                digest.update(data)
        except OSError:
            return ""
        finally:
            os.close(descriptor)
        return digest.hexdigest()

    def resembles(self, row: RowId, place: str) -> bool:
        """Tell whether a file shows the photo of a row, edited.

        Raises:
            LookStoppedError: the process is stopping.
        """
        if self._is_stopping():
            raise LookStoppedError
        was = self._embedding_of(row)
        now = None if was is None else self._embedding_at(place)
        return was is not None and now is not None and cosine(was, now) >= LEAST_COSINE


def cosine(one: Embedding, other: Embedding) -> float:
    """Return the cosine of two embeddings; 0 if their ids differ, because these cannot be compared."""
    if one.id != other.id or len(one.values) != len(other.values):
        return 0.0
    return float(np.frombuffer(one.values, "<f2").astype(np.float32) @ np.frombuffer(other.values, "<f2"))
