"""A thread that adds the embeddings of filed photos to their file: no photo waits for that, and no sync contains it."""

import queue
import threading
from contextlib import suppress
from pathlib import Path

from common.text import printable
from contract.familiarity import Familiarity
from daemon.ledger.embeddings import EmbeddingFiles
from daemon.photo import Embedding, Outcome, Photo
from daemon.process.log_level import Say

WAITING = 64
"""Batches that may wait for the disk. Those of a disk that is slower than the filing are left out: `replay` makes the
embeddings again."""
_Row = tuple[str, Embedding]


class EmbeddingWriter:
    """Keeps the embeddings of filed photos; a photo that stays in the inbox leaves none.

    Args:
        state: folder of the ledger.
        familiarity: of the model that serves; None if it gives no embeddings.
        say: called with a sentence when they cannot be written, or were damaged.
    """

    def __init__(self, state: Path, familiarity: Familiarity | None, say: Say) -> None:
        self._state, self._say = state, say
        self._files = EmbeddingFiles(state)
        self._trouble = ""
        self._todo: queue.Queue[list[_Row]] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, args=(familiarity,), name="embeddings")
        self._thread.start()

    def add(self, photos: list[Photo]) -> None:
        """Hand over photos that have passed the pipeline; never waits."""
        rows = [
            (photo.read.sha256, photo.judgement.embedding)
            for photo in photos
            if photo.judgement.embedding is not None and photo.filing.outcome in (Outcome.FILED, Outcome.REVIEW)
        ]
        if rows:
            with suppress(queue.Full):
                self._todo.put_nowait(rows)

    def close(self) -> None:
        """Write what was handed over, then end the thread."""
        self._todo.put([])
        self._thread.join()

    def _run(self, familiarity: Familiarity | None) -> None:
        if familiarity is not None:  # so that there is a file to which `replay` may add
            self._write(familiarity.id, familiarity.dimensions, [])
        while rows := self._todo.get():
            for of, dimensions in dict.fromkeys((one.id, len(one.values) // 2) for _, one in rows):
                self._write(of, dimensions, [(sha256, one.values) for sha256, one in rows if one.id == of])

    def _write(self, of: str, dimensions: int, rows: list[tuple[str, bytes]]) -> None:
        try:
            if self._files.prepare(of, dimensions):
                self._say(
                    f"the embeddings in {printable(self._state)} were damaged and begin again; `phototriage replay` "
                    "makes those of earlier photos again"
                )
            self._files.add(of, rows)
        except OSError as error:
            self._tell(
                f"the embeddings in {printable(self._state)} cannot be written ({error.strerror}); photos are filed "
                "without them"
            )
        else:
            self._tell("")

    def _tell(self, trouble: str) -> None:
        """Report a problem once, until it has ended."""
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble
