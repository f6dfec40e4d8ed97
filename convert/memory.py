"""The memory of a model: checked against what training recorded, with pictures of no class where there are some."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from common.errors import CompanionError
from contract.memory import MOST_STRANGERS, Memory, MemoryFacts
from convert.errors import UNCHANGED, ForeignPicturesError, MemoryMismatchError
from convert.graph import from_model
from convert.head import Floats, Head, features_of, features_session, head_of
from convert.photos import read_photo
from convert.recorded import MEAN_LIMIT, PHOTO_LIMIT
from training.dataset.foreign import find_foreign
from training.measure.predictions import Predictions
from training.run import MEMORY, Run

_CURE = "Train the run again."


@dataclass(frozen=True)
class MadeMemory:
    """The memory of a model that is about to be published.

    Attributes:
        data: bytes of its file.
        facts: what the contract says.
        difference: largest difference of a probability, over the gate photos, from what training recorded.
    """

    data: bytes
    facts: MemoryFacts
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.facts}, {len(self.data) / 1e6:.1f} MB; max difference {self.difference:.1e} (limit {PHOTO_LIMIT:g})"
            " from predictions.csv"
        )


def find_strangers(run: Run, foreign: Path | None) -> tuple[Path, ...]:
    """Up to MOST_STRANGERS pictures of no class, evenly spread over a folder; none without a folder.

    Raises:
        ForeignPicturesError: the run has no memory that could hold them.
        DatasetError: the folder cannot be used.
    """
    if foreign is None:
        return ()
    if run.manifest.get("memory") is None:
        raise ForeignPicturesError(
            f"{run.path} has no memory, because it was not trained on the broad network's features or by an earlier"
            f" version. {UNCHANGED} Leave out --foreign, or train again with the default recipe."
        )
    photos = find_foreign(foreign, run.dataset).photos
    step = max(1.0, len(photos) / MOST_STRANGERS)
    return tuple(photos[int(place * step)].path for place in range(min(MOST_STRANGERS, len(photos))))


def make_memory(
    run: Run, model: onnx.ModelProto, validation: Predictions, strangers: Sequence[Path]
) -> MadeMemory | None:
    """Read the memory of a run, check it, and add pictures of no class.

    Args:
        model: the graph that is published.
        validation: predictions of the run's validation photos.
        strangers: pictures of no class.

    Returns:
        None for a run without a memory.

    Raises:
        RunError, MemoryMismatchError: it is missing or damaged, or is not that of this run and graph.
    """
    memory = _of_run(run)
    if memory is None:
        return None
    head = head_of(from_model(model))
    if head is None or len(head.kernel) != memory.width or memory.labels != run.labels:
        raise MemoryMismatchError(f"{run.path / MEMORY} does not fit the network of the run. {_CURE}")
    difference = _compared(run, memory, head, validation)
    if strangers:
        memory = memory.with_strangers(_features(strangers, run, model, head)[:, -memory.widths[-1] :])
    data = memory.to_bytes()
    return MadeMemory(data, memory.facts(hashlib.sha256(data).hexdigest()), difference)


def _of_run(run: Run) -> Memory | None:
    facts = run.manifest.get("memory")
    if facts is None:
        return None
    try:
        data = (run.path / MEMORY).read_bytes()
        if hashlib.sha256(data).hexdigest() != facts["sha256"]:
            raise MemoryMismatchError(f"{run.path / MEMORY} is not the memory of this run. {_CURE}")
        return Memory.from_bytes(data)
    except (OSError, CompanionError, KeyError, TypeError) as error:
        raise MemoryMismatchError(f"{run.path / MEMORY} is missing or damaged ({error}). {_CURE}") from error


def _compared(run: Run, memory: Memory, head: Head, validation: Predictions) -> float:
    """Compare what the head answers for the gate photos with what training recorded for them."""
    never, (features, classes) = validation.never_learnt(), memory.gate()
    if never is None or not np.array_equal(never.true, classes):
        raise MemoryMismatchError(f"{run.path / MEMORY} does not hold the photos that no head has learnt from. {_CURE}")
    differences = np.abs(head.probabilities(features) - never.of_final_model).max(axis=1, initial=0.0)
    if len(differences) and not (differences.max() <= PHOTO_LIMIT and differences.mean() <= MEAN_LIMIT):
        raise MemoryMismatchError(
            f"The features in {run.path / MEMORY} do not give the answers of predictions.csv: a probability differs by"
            f" {differences.max():.2g} (limit {PHOTO_LIMIT:g}), on average over {len(differences)} photos by"
            f" {differences.mean():.2g} (limit {MEAN_LIMIT:g}). {_CURE}"
        )
    return float(differences.max(initial=0.0))


def _features(strangers: Sequence[Path], run: Run, model: onnx.ModelProto, head: Head) -> Floats:
    images = [read[1] for path in strangers if (read := read_photo(path, run.geometry)) is not None]
    if not images:
        raise ForeignPicturesError(f"None of the {len(strangers)} pictures of --foreign can be read. {UNCHANGED}")
    return features_of(features_session(model, head), np.stack(images))
