"""Whether a photo that got no numbers is one that the model cannot judge, or the model judges nothing any more.

A model may answer with NaN: it divides by the brightness of a black picture, or its fp16 overflows. Such a photo fails
alone. But a broken GPU answers all photos so, and a model may answer none of an owner's: then the photos must stay.
"""

import threading

from contract.errors import ModelError, Reason
from contract.golden import replay
from contract.session import Model
from daemon.photo import Photo

IN_A_ROW = 8
"""After so many photos without numbers, and none with numbers between, the model itself is looked at."""


class Answers:
    """Remembers what the serving model answered; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model = ""
        self._forget(self._model)

    def look(self, model: Model, photos: list[Photo]) -> str:
        """Take note of what a model answered, and say what is the matter with it; nothing if it works.

        Args:
            model: that classified.
            photos: in their order; those without numbers have the fault `Reason.UNJUDGED`.

        Raises:
            GpuMemoryError, GpuLostError: on CUDA alone, as `Model.run`.
        """
        with self._lock:
            if model.sha256 != self._model:
                self._forget(model.sha256)
            for photo in photos:
                if photo.scores is not None:
                    self._answered, self._row, self._look_at = True, 0, IN_A_ROW
                elif is_unjudged(photo):
                    self._row += 1
            if self._row < self._look_at:
                return ""
            if not self._answered:
                return f"the model gave no numbers for any of the first {self._row} photos: put another model in place"
            return self._proven(model)

    def _forget(self, model: str) -> None:
        self._model, self._answered, self._row, self._look_at = model, False, 0, IN_A_ROW

    def _proven(self, model: Model) -> str:
        """Replay the golden sample; what passes is looked at again after twice as many photos."""
        try:
            replay(model.run, model.contract, model.provider)
        except ModelError as error:
            return f"the model gives no numbers any more ({error})"
        self._look_at = 2 * self._row
        return ""


def is_unjudged(photo: Photo) -> bool:
    """Tell whether the model was asked about a photo and gave no numbers."""
    return photo.fault is not None and photo.fault.reason is Reason.UNJUDGED
