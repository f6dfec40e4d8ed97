"""What a model answers for photos, and how a session is asked for it."""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.geometry import Pixels
from contract.metadata import EMBEDDING_NAME, FAMILIARITY_NAME, INPUT_NAME, NEAREST_NAME, OUTPUT_NAME


class Answers(NamedTuple):
    """Answers for n photos.

    Attributes:
        probabilities: float32 [n, classes], rows that add up to one.
        embedding: float32 [n, D], rows of length one; None for a model without familiarity, as all that follows.
        familiarity: float32 [n], how like the photos learnt from, at most 1.
        nearest: int64 [n], number of the class whose centre is the nearest.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32] | None = None
    familiarity: NDArray[np.float32] | None = None
    nearest: NDArray[np.int64] | None = None

    def first(self, count: int) -> "Answers":
        """The answers for the first photos."""
        return _answers(None if values is None else values[:count] for values in self)


def joined(parts: list[Answers]) -> Answers:
    """The answers of several calls as one."""
    if len(parts) == 1:
        return parts[0]
    columns = cast("list[tuple[Any, ...]]", list(zip(*parts, strict=True)))
    return _answers(None if column[0] is None else np.concatenate(column) for column in columns)


def _answers(columns: Iterable[Any]) -> Answers:
    return Answers(*columns)


def ask(
    session: ort.InferenceSession, images: Pixels, *, familiar: bool, options: ort.RunOptions | None = None
) -> Answers:
    """Run a session with the names of the contract.

    Args:
        images: uint8 [n, size, size, 3].
        familiar: whether the model has the outputs of familiarity.
    """
    names = [OUTPUT_NAME, EMBEDDING_NAME, FAMILIARITY_NAME, NEAREST_NAME] if familiar else [OUTPUT_NAME]
    return Answers(*session.run(names, {INPUT_NAME: images}, options))


def run_session(session: ort.InferenceSession, images: Pixels) -> NDArray[np.float32]:
    """Classify uint8 [n, size, size, 3] and nothing else; returns float32 [n, classes]."""
    return ask(session, images, familiar=False).probabilities
