"""The checkpoint: one file in an unfinished run folder, from which a killed training goes on after its last epoch.

It holds arrays and one JSON text in NumPy's archive format, no pickled objects, and needs no Keras to be read.
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
from training.fit.epoch import Epoch, State, Weights
from training.output import publishing
from training.run import CHECKPOINT

FORMAT = 2  # 2: an epoch tells its stage
_LISTS = ("best", "learner", "optimizer", "average")
_HEADER = "header"


@dataclass(frozen=True)
class Header:
    """What a checkpoint says beside the state.

    recipe: every setting, as in training.resume.same_training.
    data: what tells the photos, as in training.resume.same_training.
    origin: where the initial weights came from. seconds: per stage, so far. epoch: the last one that is done.
    resumed_after: the epochs after which the training has already gone on.
    """

    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    origin: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    epoch: int = 0
    resumed_after: tuple[int, ...] = ()


def write_checkpoint(folder: Path, header: Header, state: State) -> None:
    """Put the checkpoint in the place of the last one, which stays if this one cannot be written whole.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    history = {"epochs": [asdict(epoch) for epoch in state.epochs], "step": state.step}
    sizes = {name: len(getattr(state, name)) for name in _LISTS}
    text = json.dumps({"format": FORMAT, "header": asdict(header), "state": history, "arrays": sizes})
    arrays = {f"{name}.{place}": array for name in _LISTS for place, array in enumerate(getattr(state, name))}
    with publishing(folder / CHECKPOINT) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.frombuffer(text.encode(), np.uint8)}, **arrays)


def read_header(folder: Path) -> Header | None:
    """What the checkpoint of a run folder says, None where there is none.

    Raises:
        CheckpointError: it is damaged, or of another version.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    with _opened(folder / CHECKPOINT) as (_, value):
        return _header(value)


def read_state(folder: Path) -> tuple[Header, State]:
    """The checkpoint of a run folder, all of it; raises as `read_header` does."""
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
            f"The checkpoint {file} cannot be used: {error}. Begin anew: choose another --output, or pass --restart."
        ) from error


def _header(value: dict[str, Any]) -> Header:
    return Header(**value["header"] | {"resumed_after": tuple(value["header"]["resumed_after"])})


def _state(archive: Any, value: dict[str, Any]) -> State:
    lists: dict[str, Weights] = {
        name: [archive[f"{name}.{place}"] for place in range(value["arrays"][name])] for name in _LISTS
    }
    epochs = tuple(Epoch(**epoch) for epoch in value["state"]["epochs"])
    return State(epochs, int(value["state"]["step"]), **lists)
