"""What became of a cell, read from its run folder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from training.errors import RunError
from training.grid.plan import Cell
from training.run import CHECKPOINT, MANIFEST, MODEL, load_run

SPLITS = ("validation", "test", "train")
AVERAGES = ("precision", "recall", "f1", "auc")


class State(StrEnum):
    """How far a cell is."""

    FINISHED = "finished"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    WAITING = "waiting"


@dataclass(frozen=True)
class Figures:
    """What a run says of the photos of one side. precision to auc: means over the classes; None where it is silent.

    classes: each with label, photos, precision, recall, f1 and auc.
    """

    photos: int
    accuracy: float
    interval: tuple[float, float]
    log_loss: float
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    auc: float | None = None
    classes: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A cell and what it came to.

    reason: why it failed. figures: by side, `validation`, and `test` and `train` where they were measured.
    seconds: what training took, over all its stages. parameters: numbers in the network.
    """

    cell: Cell
    state: State
    reason: str = ""
    figures: Mapping[str, Figures] = field(default_factory=dict)
    seconds: float | None = None
    parameters: int | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """Smaller is better: by accuracy on validation photos, then by their log loss; test photos decide nothing."""
        known = self.figures.get("validation")
        return (-known.accuracy, known.log_loss) if known else (1.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, without the figures of each class."""
        figures = {
            side: {name: value for name, value in asdict(found).items() if name != "classes"}
            for side, found in self.figures.items()
        }
        return {"name": self.cell.name, "settings": dict(self.cell.options), "state": str(self.state),
                "reason": self.reason, **figures, "seconds": self.seconds, "parameters": self.parameters}  # fmt: skip


def look(folder: Path, cell: Cell, reason: str = "") -> Outcome:
    """Read what became of a cell.

    Args:
        folder: the grid's, in which the cell has a folder of its name. reason: why its training failed, if it did.
    """
    run = folder / cell.name
    if (run / MANIFEST).is_file():
        return _finished(run, cell)
    if reason:
        return Outcome(cell, State.FAILED, reason)
    return Outcome(cell, State.UNFINISHED if (run / CHECKPOINT).is_file() else State.WAITING)


def _finished(folder: Path, cell: Cell) -> Outcome:
    try:
        run = load_run(folder)
        figures = {side: _figures(run.metrics[side]) for side in SPLITS if run.metrics.get(side)}
        seconds = round(sum(map(float, run.manifest.get("seconds", {}).values())), 2)
        parameters = count_parameters(folder / MODEL)
    except RunError as error:
        return Outcome(cell, State.FAILED, str(error))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        return Outcome(cell, State.FAILED, f"{folder} is damaged ({error!r}). Move it away, and it is trained again.")
    return Outcome(cell, State.FINISHED, "", figures, seconds, parameters)


def _figures(card: Mapping[str, Any]) -> Figures:
    low, high = map(float, card["interval"])
    return Figures(
        photos=int(card["photos"]),
        accuracy=float(card["accuracy"]),
        interval=(low, high),
        log_loss=float(card["log_loss"]),
        classes=tuple(card["classes"]),
        **{name: card.get(f"macro_{name}") for name in AVERAGES},
    )


def count_parameters(file: Path) -> int:
    """Numbers in a saved network, moving statistics included, without loading it or Keras.

    Raises:
        OSError, KeyError, ValueError: it is no such file.
    """
    import h5py  # type: ignore[import-untyped]

    sizes: list[int] = []

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            sizes.append(int(item.size))

    with ZipFile(file) as archive, archive.open("model.weights.h5") as weights, h5py.File(weights, "r") as tree:
        tree.visititems(add)
    return sum(sizes)
