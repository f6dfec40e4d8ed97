"""The gate: Keras and ONNX Runtime must agree on the same photos, both on the CPU in fp32."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.answers import run_session
from contract.geometry import Pixels
from contract.metadata import EMBEDDING_NAME, FAMILIARITY_NAME, INPUT_NAME, NEAREST_NAME, OUTPUT_NAME
from convert.errors import (
    UNCHANGED,
    AnswerMismatchError,
    ExportError,
    NameMismatchError,
    NotProbabilitiesError,
    ParityError,
    ShapeMismatchError,
    TopClassMismatchError,
    TypeMismatchError,
    ValueMismatchError,
)
from convert.passes.tidy import BATCH

TOLERANCE = 1e-4
"""Largest difference of a probability. Measured: 1.5e-6 untrained, 5.7e-6 trained, 1.05e-5 at temperature 0.5."""
_CHUNK = 32

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """Result of the comparison.

    Attributes:
        photos: number of compared photos, in words.
        max_difference: largest difference of a probability on any photo.
        ties: number of photos whose top class differs, but whose two best classes are within the tolerance.
    """

    photos: str
    max_difference: float
    ties: int

    def __str__(self) -> str:
        tied = f" but for {self.ties} ties" if self.ties else ""
        return f"max difference {self.max_difference:.1e} (limit {TOLERANCE:.0e}), top-1 identical{tied}, {self.photos}"


def open_on_cpu(data: bytes) -> ort.InferenceSession:
    """Open a graph that has no contract yet, on all CPU cores."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def check_signature(session: ort.InferenceSession, size_px: int, classes: int, dimensions: int | None = None) -> None:
    """Check that inputs and outputs are those of the contract.

    Args:
        dimensions: length of an embedding; None for a model without familiarity.

    Raises:
        NameMismatchError, TypeMismatchError, ShapeMismatchError: one of them differs.
    """
    got = [*session.get_inputs(), *session.get_outputs()]
    names, types = [INPUT_NAME, OUTPUT_NAME], ["tensor(uint8)", "tensor(float)"]
    shapes: list[list[str | int]] = [[BATCH, size_px, size_px, 3], [BATCH, classes]]
    if dimensions is not None:
        names += [EMBEDDING_NAME, FAMILIARITY_NAME, NEAREST_NAME]
        types += ["tensor(float)", "tensor(float)", "tensor(int64)"]
        shapes += [[BATCH, dimensions], [BATCH], [BATCH]]
    _require_equal("names", [item.name for item in got], names, NameMismatchError)
    _require_equal("types", [item.type for item in got], types, TypeMismatchError)
    _require_equal("shapes", [item.shape for item in got], shapes, ShapeMismatchError)


def _require_equal(what: str, got: list[Any], wanted: list[Any], error: type[ParityError]) -> None:
    if got != wanted:
        raise error(f"The export has the {what} {got}, but the contract requires {wanted}. {UNCHANGED}")


def keras_probabilities(model: Any, temperature: float, images: Pixels) -> Probabilities:
    """Classify with Keras on the CPU. Temperature and softmax are computed in numpy, independent of the export.

    Raises:
        ExportError: TensorFlow did not compute on the CPU.
    """
    return _probabilities(_in_chunks(lambda chunk: _logits(model, chunk), images), temperature)


def _logits(model: Any, images: Pixels) -> NDArray[np.float32]:
    import tensorflow as tf

    with tf.device("/CPU:0"):
        logits = model(images, training=False)
    if "CPU" not in logits.device:
        raise ExportError(f"Keras computed on {logits.device}, which is not exact enough to compare. {UNCHANGED}")
    return cast(NDArray[np.float32], logits.numpy())


def _probabilities(logits: NDArray[np.float32], temperature: float) -> Probabilities:
    scaled = logits.astype(np.float64) / temperature
    if scaled.shape[1] == 1:  # of two classes, the logit of the second
        scaled = np.pad(scaled, ((0, 0), (1, 0)))
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(Probabilities, (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32))


def onnx_probabilities(session: ort.InferenceSession, images: Pixels) -> Probabilities:
    """Classify with ONNX Runtime."""
    return _in_chunks(lambda chunk: run_session(session, chunk), images)


def _in_chunks(run: Callable[[Pixels], NDArray[np.float32]], images: Pixels) -> NDArray[np.float32]:
    """Run a few images at a time, because 256 at once need gigabytes."""
    return np.concatenate([run(images[start : start + _CHUNK]) for start in range(0, len(images), _CHUNK)])


def compare(
    keras: Probabilities, onnx: Probabilities, names: Sequence[str], labels: Sequence[str], photos: str
) -> Parity:
    """Compare two sets of probabilities, float32 [n, classes].

    Raises:
        ShapeMismatchError: the shapes differ.
        NotProbabilitiesError: a row of `onnx` holds no probabilities.
        TopClassMismatchError: the top class of a photo differs, and its two best classes are not tied within TOLERANCE.
        ValueMismatchError: a probability differs by TOLERANCE or more.
    """
    _require_equal("answers", [list(onnx.shape)], [list(keras.shape)], ShapeMismatchError)
    _check_probabilities(onnx, names)
    difference = np.abs(keras.astype(np.float64) - onnx).max(axis=1)
    best_two = np.sort(keras.astype(np.float64), axis=1)[:, -2:]
    other_class = keras.argmax(axis=1) != onnx.argmax(axis=1)
    tied = best_two[:, 1] - best_two[:, 0] < TOLERANCE

    def _refuse(kind: type[AnswerMismatchError], where: NDArray[np.bool_]) -> None:
        if where.any():
            worst = int(np.argmax(np.where(where, difference, -1.0)))
            keras_says, onnx_says = _answer(keras[worst], labels), _answer(onnx[worst], labels)
            found = names[worst], keras_says, onnx_says, float(difference[worst])
            raise kind(*found, limit=TOLERANCE, affected=int(where.sum()), photos=len(names))

    _refuse(TopClassMismatchError, other_class & ~tied)
    _refuse(ValueMismatchError, ~(difference < TOLERANCE))  # written this way, NaN is refused too
    return Parity(photos, float(difference.max()), int((other_class & tied).sum()))


def _check_probabilities(answers: Probabilities, names: Sequence[str]) -> None:
    wrong = ~(np.isfinite(answers).all(axis=1) & (np.abs(answers.sum(axis=1) - 1) < TOLERANCE))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise NotProbabilitiesError(
            f"On {names[row]} the export returns {answers[row].tolist()}, which are not probabilities. {UNCHANGED}"
        )


def _answer(row: Probabilities, labels: Sequence[str]) -> tuple[str, float]:
    return labels[int(row.argmax())], float(row.max())
