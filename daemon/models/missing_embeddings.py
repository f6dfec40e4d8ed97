"""Embeddings that are missing beside a ledger, made again while `replay` reads the photos."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.familiarity import Familiarity
from daemon.ledger.embeddings import EMBEDDINGS, EmbeddingFiles, read_embeddings
from daemon.photo import Photo

TOGETHER = 256
"""Embeddings that are written at once."""


class MissingEmbeddings:
    """Adds those that the file lacks. Where there is no file none are kept, and a file of another id stays as it is.

    Args:
        state: folder of the ledger.
        familiarity: of the model; None if it gives no embeddings.

    Attributes:
        added: how many were added.
        trouble: why the file cannot be read or written; empty if it can.
    """

    def __init__(self, state: Path, familiarity: Familiarity | None) -> None:
        self._state, self._files = state, EmbeddingFiles(state)
        self._of = familiarity.id if familiarity is not None and (state / EMBEDDINGS).exists() else ""
        self._rows: list[tuple[str, bytes]] = []
        self.added, self.trouble = 0, ""
        self._known = np.empty(0, np.uint64)
        try:
            self._known = _beginnings(state, self._of)
        except OSError as error:
            self._fail(error)

    def note(self, photo: Photo) -> None:
        """Take the embedding of a photo that was filed, if it is missing."""
        embedding = photo.judgement.embedding
        if not self._of or embedding is None or self._is_known(photo.read.sha256):
            return
        self._rows.append((photo.read.sha256, embedding.values))
        if len(self._rows) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            self.added += self._files.add(self._of, rows)
        except OSError as error:
            self._fail(error)

    def _is_known(self, sha256: str) -> bool:
        (beginning,) = np.frombuffer(bytes.fromhex(sha256), "<u8", count=1)
        at = int(self._known.searchsorted(beginning))
        return at < len(self._known) and bool(self._known[at] == beginning)

    def _fail(self, error: OSError) -> None:
        self._of = ""
        self.trouble = f"The embeddings in {printable(self._state)} cannot be read or written ({error.strerror})."


def _beginnings(state: Path, of: str) -> NDArray[np.uint64]:
    """Return the first 8 bytes of the SHA-256 of each photo that has an embedding, sorted: at most 14 MB."""
    found = [part.sha256[:, 0] for part in read_embeddings(state, of)]
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.uint64)
