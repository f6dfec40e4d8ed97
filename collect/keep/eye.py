"""What a photo looks like: decoded as the daemon does, and described by the model that ships."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError, Reason
from contract.fingerprint import Fingerprint, fingerprint_of
from contract.geometry import Pixels
from contract.session import Model, open_model
from contract.shipped import SHIPPED_MODEL
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.decode.suspects import CrashJournal
from daemon.files.identity import look_at
from daemon.photo import Found
from daemon.process.clock import Clock

JOURNAL = ".decoding"
Vector = NDArray[np.float32]


class Picture(NamedTuple):
    """A photo that was decoded.

    Attributes:
        pixels: uint8 [S, S, 3].
        sha256: of its bytes, hexadecimal.
    """

    pixels: Pixels
    sha256: str

    @property
    def mark(self) -> Fingerprint:
        """Its fingerprint."""
        return fingerprint_of(self.pixels)


class Eye:
    """Looks at photos; may be used by several threads.

    Args:
        model: describes.
        guard: decodes.
    """

    def __init__(self, model: Model, guard: Guard) -> None:
        self._model, self._guard = model, guard

    def look(self, path: Path) -> Picture:
        """Decode a photo; a link is followed.

        Raises:
            PhotoError: it cannot be read.
        """
        path = path.resolve()
        identity = look_at(path)
        if identity is None:
            raise PhotoError(Reason.UNREADABLE, "it is no file")
        read = decode(Found(path, identity), self._model.contract.geometry, Clock().wall_s(), self._guard)
        if read.pixels is None:
            raise read.fault or PhotoError(Reason.UNREADABLE, "it cannot be read")
        return Picture(read.pixels, read.sha256)

    def describe(self, picture: Picture) -> Vector:
        """Return the embedding of a photo, float32 [D], of length one."""
        embedding = self._model.answer(picture.pixels[None]).embedding
        assert embedding is not None  # the model that ships has one
        return np.asarray(embedding[0], np.float32)


@contextmanager
def opened_eye(folder: Path) -> Iterator[Eye]:
    """Open the model, and a guard that knows which photo of the folder ended an earlier process."""
    with closing(CrashJournal(folder / JOURNAL)) as journal, closing(Guard(journal)) as guard:
        yield Eye(open_model(SHIPPED_MODEL, "cpu"), guard)
