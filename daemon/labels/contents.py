"""Reads files of the output for a look: their hashes, and whether an edited file still shows the photo of a row."""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from daemon.files.confined import TO_READ
from daemon.labels.rows import RowId
from daemon.photo import Embedding

LEAST_COSINE = 0.99
"""An edited photo is nearly the same; two photos of a burst are less alike."""
LEAST_COSINE_TURNED = 0.85
"""Of a photo that was cropped, brightened or turned in its place, in the best of four turns. Measured on 110 scenes and
110 pieces of clothing: a crop to 0.8 of each side and a turn reach 0.90 at least, 95 % of other photos of the same
class stay below 0.86."""
_PIECE = 1 << 20

EmbeddingOf = Callable[[RowId], Embedding | None]
"""Returns the embedding that the photo of a row had when it was filed; None if it is not kept."""
EmbeddingAt = Callable[[str], Embedding | None]
"""Returns the embedding of the file at a place in the output; None if it shows no photo, or there is no model."""

TurnedAt = Callable[[str], Sequence[Embedding]]
"""Returns the embeddings of the file at a place in each of four turns; none if it shows no photo."""


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
        turned_at: see there; None where there is no model.
        is_stopping: whether to stop.
    """

    def __init__(
        self,
        output: Path,
        embedding_of: EmbeddingOf = none_kept,
        embedding_at: EmbeddingAt = none_kept,
        turned_at: TurnedAt | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._output, self._is_stopping = output, is_stopping
        self._embedding_of, self._embedding_at, self._turned_at = embedding_of, embedding_at, turned_at

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

    def is_another(self, row: RowId, place: str) -> bool | None:
        """Tell whether a file shows another photo than that of a row; None if there is no model, or no photo.

        Raises:
            LookStoppedError: the process is stopping.
        """
        if self._is_stopping():
            raise LookStoppedError
        if self._turned_at is None:
            return None
        was = self._embedding_of(row)
        if was is None:
            return False
        now = self._turned_at(place)
        return max(cosine(was, one) for one in now) < LEAST_COSINE_TURNED if now else None


def cosine(one: Embedding, other: Embedding) -> float:
    """Return the cosine of two embeddings; 0 if their ids differ, because these cannot be compared."""
    if one.id != other.id or len(one.values) != len(other.values):
        return 0.0
    return float(np.frombuffer(one.values, "<f2").astype(np.float32) @ np.frombuffer(other.values, "<f2"))
