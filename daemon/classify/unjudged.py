"""Photos without valid scores: find out whether the photo or the model is the cause.

A model may answer NaN for a single photo, because it divides by the brightness of a black picture or overflows in fp16.
Then only this photo fails. But a broken GPU answers NaN for every photo, and so may an unsuitable model. Then the
photos must stay in the inbox.
"""

import threading
from collections.abc import Iterable

from common.errors import ModelError
from contract.golden import replay
from contract.session import Model
from daemon.classify.classify import Answer

IN_A_ROW = 8
"""After this many photos in a row without valid scores, the model itself is checked."""


class AnswerCheck:
    """Remembers whether the model in use gave valid scores; may be used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model = ""
        self._forget(self._model)

    def trouble(self, model: Model, answers: Iterable[Answer]) -> str:
        """Record a model's answers; return what is wrong with the model, or an empty text if it works.

        Args:
            model: the model that classified the photos.
            answers: of the model, in order.

        Raises:
            GpuMemoryError, GpuLostError: only on CUDA, as from `Model.run`.
        """
        with self._lock:
            if model.sha256 != self._model:
                self._forget(model.sha256)
            for answer in answers:
                if answer.scores is not None:
                    self._answered, self._row, self._look_at = True, 0, IN_A_ROW
                else:
                    self._row += 1
            if self._row < self._look_at:
                return ""
            if not self._answered:
                return f"the model gave no valid scores for any of the first {self._row} photos. Use another model"
            return self._proven(model)

    def _forget(self, model: str) -> None:
        self._model, self._answered, self._row, self._look_at = model, False, 0, IN_A_ROW

    def _proven(self, model: Model) -> str:
        """Replay the golden sample; if it passes, the next check follows after twice as many photos."""
        try:
            replay(model.answer, model.contract, model.provider)
        except ModelError as error:
            return f"the model gives no valid scores any more ({error})"
        self._look_at = 2 * self._row
        return ""
