"""The checkpoint: one file in an unfinished run folder, from which a killed training resumes after its last epoch.

It holds arrays and one JSON text in the archive format of NumPy, without pickled objects. Reading it needs no Keras.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from training.errors import CheckpointError
from training.fit.epoch import Epoch, TrainingState, Weights
from training.output import publishing
from training.run import CHECKPOINT

FORMAT = 2  # 2: an epoch has a stage
_LISTS = ("best", "learner", "optimizer", "average")
_HEADER = "header"


@dataclass(frozen=True)
class CheckpointHeader:
    """The part of a checkpoint beside the state.

    Attributes:
        recipe: every setting, from `same_training.flat_settings`.
        data: fingerprint of the photos, from `same_training.photos_fingerprint`.
        origin: source of the initial weights.
        seconds: time of each stage so far.
        epoch: the last completed epoch.
        resumed_after: the epochs after which the training has resumed before.
    """

    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    origin: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    epoch: int = 0
    resumed_after: tuple[int, ...] = ()


def write_checkpoint(folder: Path, header: CheckpointHeader, state: TrainingState) -> None:
    """Replace the last checkpoint, which stays if the new one cannot be written completely.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    history = {"epochs": [asdict(epoch) for epoch in state.epochs], "step": state.step}
    sizes = {name: len(getattr(state, name)) for name in _LISTS}
    text = json.dumps({"format": FORMAT, "header": asdict(header), "state": history, "arrays": sizes})
    arrays = {f"{name}.{place}": array for name in _LISTS for place, array in enumerate(getattr(state, name))}
    with publishing(folder / CHECKPOINT) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.frombuffer(text.encode(), np.uint8)}, **arrays)


def read_header(folder: Path) -> CheckpointHeader | None:
    """Read the header of the checkpoint in a run folder; None if there is no checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged, or of another version.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    with _opened(folder / CHECKPOINT) as (_, value):
        return _header(value)


def read_state(folder: Path) -> tuple[CheckpointHeader, TrainingState]:
    """Read the whole checkpoint of a run folder; raises as `read_header` does."""
    with _opened(folder / CHECKPOINT) as (archive, value):
        return _header(value), _state(archive, value)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            value = json.loads(archive[_HEADER].tobytes())
            if value["format"] != FORMAT:
                raise ValueError(f"it is of format {value['format']!r}")
            yield archive, value
    except (OSError, EOFError, BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"The checkpoint {file} cannot be used: {error}. To start over, pass another --output or --restart."
        ) from error


def _header(value: dict[str, Any]) -> CheckpointHeader:
    return CheckpointHeader(**value["header"] | {"resumed_after": tuple(value["header"]["resumed_after"])})


def _state(archive: Any, value: dict[str, Any]) -> TrainingState:
    lists: dict[str, Weights] = {
        name: [archive[f"{name}.{place}"] for place in range(value["arrays"][name])] for name in _LISTS
    }
    epochs = tuple(Epoch(**epoch) for epoch in value["state"]["epochs"])
    return TrainingState(epochs, int(value["state"]["step"]), **lists)
