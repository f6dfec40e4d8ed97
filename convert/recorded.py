"""The second gate: from the photo files on, the export must give the answers that training recorded.

Keras and the export are given the same pixels, labels and temperature, so the first gate cannot see that one of these
is not what was trained. predictions.csv holds what the final model answered, and the hash of each photo.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from common.packages import installed_versions
from common.text import printable
from contract.geometry import Geometry, Mode, to_input
from convert.errors import UNCHANGED, RecordedMismatchError
from convert.gate import Probabilities, onnx_probabilities
from convert.photos import ParityPhotos
from training.measure.predictions import Predictions
from training.run import PREDICTIONS, Run

PHOTO_LIMIT = 0.05
"""Largest difference of a probability. Training on a GPU computes in TF32 (1e-2), and another version of a JPEG decoder
may add what the golden sample allows it (2e-2)."""
MEAN_LIMIT = 0.01
"""Largest mean, over the photos, of the largest difference of each. A wrong temperature changes all photos a little."""
_SHOWN = 3  # exchanged labels that are named
_HOTTEST = 20.0

_Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RecordedParity:
    """The export compared with predictions.csv.

    Attributes:
        photos: number of compared photos.
        changed: number of photos that are other files than at training.
        missing: number of photos that are gone or cannot be read.
        max_difference: largest difference of a probability; 0 if no photo was compared.
        unknown: whether predictions.csv lacks the hashes, as those of earlier versions do.
    """

    photos: int
    changed: int = 0
    missing: int = 0
    max_difference: float = 0.0
    unknown: bool = False

    def __str__(self) -> str:
        if self.unknown:
            return "not compared with predictions.csv: it has no hashes of the photos; an earlier version wrote it"
        skipped = [f"{self.missing} are missing or unreadable"] if self.missing else []
        skipped += [f"{self.changed} have changed"] if self.changed else []
        if not self.photos:
            return f"not compared with predictions.csv: none of its photos is at hand ({' and '.join(skipped)})"
        left_out = f"; {' and '.join(skipped)}" if skipped else ""
        return (
            f"max difference {self.max_difference:.1e} (limit {PHOTO_LIMIT:g}) from predictions.csv, "
            f"{self.photos} photos{left_out}"
        )


def compare_recorded(
    session: ort.InferenceSession, run: Run, recorded: Predictions, photos: ParityPhotos, answers: Probabilities
) -> RecordedParity:
    """Compare the export with the answers of the final model in predictions.csv.

    Args:
        session: the export, to find out what probably happened.
        recorded: predictions of the validation photos.
        photos: some of these photos, decoded.
        answers: probabilities that the export gives for `photos`.

    Raises:
        RecordedMismatchError: they differ.
    """
    if recorded.hashes is None:
        return RecordedParity(0, unknown=True)
    known = [recorded.hashes[place] for place in photos.places]
    same = np.flatnonzero([was == now for was, now in zip(known, photos.digests, strict=True)])
    changed = len(known) - len(same)
    if not len(same):
        return RecordedParity(0, changed, photos.missing)
    places = np.array(photos.places)[same]
    wanted, given = recorded.of_final_model[places], answers[same]
    if _agree(wanted, given):
        return RecordedParity(len(same), changed, photos.missing, float(_differences(wanted, given).max()))
    paths = [recorded.photos[place].path for place in places]
    found = chain(
        _exchanged(wanted, given, run), _heated(wanted, given, run), _otherwise_decoded(wanted, session, paths, run)
    )
    cause = next(found, _unknown_cause(run))
    worst = int(_differences(wanted, given).argmax())
    raise RecordedMismatchError(
        f"The export does not give the answers of {printable(run.path / PREDICTIONS)}: on {printable(paths[worst])} a "
        f"probability differs by {_differences(wanted, given)[worst]:.2g} (limit {PHOTO_LIMIT:g}), on average over "
        f"{len(same)} photos by {_differences(wanted, given).mean():.2g} (limit {MEAN_LIMIT:g}). {cause} {UNCHANGED}"
    )


def _differences(wanted: _Floats, given: _Floats) -> _Floats:
    return np.asarray(np.abs(wanted - given).max(axis=1))


def _agree(wanted: _Floats, given: _Floats) -> bool:
    difference = _differences(wanted, given)
    return bool(difference.max() <= PHOTO_LIMIT and difference.mean() <= MEAN_LIMIT)


def _exchanged(wanted: _Floats, given: _Floats, run: Run) -> Iterator[str]:
    """Whether another order of the labels explains the difference."""
    from scipy.optimize import linear_sum_assignment

    distance = np.array([np.abs(given - column[:, None]).mean(axis=0) for column in wanted.T])
    order = linear_sum_assignment(distance)[1]
    if _agree(wanted, given[:, order]):
        moved = [f"{run.labels[was]!r} is now {run.labels[now]!r}" for was, now in enumerate(order) if was != now]
        more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
        yield (
            f"They agree if labels are exchanged: {', '.join(moved[:_SHOWN])}{more}. Restore run.json, or train again."
        )


def _heated(wanted: _Floats, given: _Floats, run: Run) -> Iterator[str]:
    """Whether another temperature explains the difference."""
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(given, np.finfo(np.float32).tiny).astype(np.float64))
    edge = np.log(_HOTTEST)
    best = minimize_scalar(
        lambda power: np.abs(_sharpened(logits, power) - wanted).mean(), bounds=(-edge, edge), method="bounded"
    ).x
    if _agree(wanted, _sharpened(logits, best)):
        yield (
            f"They agree at a temperature of {run.temperature / np.exp(best):.3g}, but run.json says "
            f"{run.temperature:.3g}. Restore run.json, or train again."
        )


def _sharpened(logits: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Probabilities with their logarithms multiplied by exp(power)."""
    raised = np.exp(logits * np.exp(power) - (logits * np.exp(power)).max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _otherwise_decoded(wanted: _Floats, session: ort.InferenceSession, paths: list[Path], run: Run) -> Iterator[str]:
    """Whether another geometry explains the difference."""
    for mode in get_args(Mode):
        other = Geometry(mode, run.geometry.size_px)
        if other != run.geometry and _agree(
            wanted, onnx_probabilities(session, np.stack([to_input(path, other) for path in paths]))
        ):
            yield (
                f"They agree with the geometry {other.id}, but run.json says {run.geometry.id}. Restore run.json, or "
                "train again."
            )


def _unknown_cause(run: Run) -> str:
    made_by = run.manifest.get("made_by", {})
    then = made_by.get("pillow", "unknown") if isinstance(made_by, dict) else "unknown"
    here = installed_versions(("pillow",)).get("pillow", "unknown")
    return (
        "Probably run.json, model.keras and predictions.csv are not of one training, or photos are not decoded as "
        f"at training (Pillow {then} then, {here} here). Train again."
    )
