"""The outcome of a cell, read from its run folder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from training.errors import RunError
from training.grid.plan import Cell
from training.measure.figures import SplitFigures, read_figures
from training.run import CHECKPOINT, MANIFEST, MODEL, load_run

SPLITS = ("validation", "test", "train")


class CellState(StrEnum):
    """State of a cell."""

    FINISHED = "finished"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    WAITING = "waiting"


@dataclass(frozen=True)
class CellOutcome:
    """The outcome of a cell.

    Attributes:
        reason: why the cell failed.
        figures: metrics by split: `validation`, and `test` and `train` if measured.
        seconds: time of the training, over all stages.
        parameters: number of parameters of the network.
    """

    cell: Cell
    state: CellState
    reason: str = ""
    figures: Mapping[str, SplitFigures] = field(default_factory=dict)
    seconds: float | None = None
    parameters: int | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """Sort key, smaller is better: validation accuracy, then validation log loss. Test photos are not used."""
        known = self.figures.get("validation")
        return (-known.accuracy, known.log_loss) if known else (1.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without metrics per class."""
        figures = {
            side: {name: value for name, value in asdict(found).items() if name != "classes"}
            for side, found in self.figures.items()
        }
        return {"name": self.cell.name, "settings": dict(self.cell.options), "state": str(self.state),
                "reason": self.reason, **figures, "seconds": self.seconds, "parameters": self.parameters}  # fmt: skip


def read_outcome(folder: Path, cell: Cell, reason: str = "") -> CellOutcome:
    """Read the outcome of a cell.

    Args:
        folder: folder of the grid, which holds a folder for the cell.
        reason: why its training failed, if it did.
    """
    run = folder / cell.name
    if (run / MANIFEST).is_file():
        return _finished(run, cell)
    if reason:
        return CellOutcome(cell, CellState.FAILED, reason)
    return CellOutcome(cell, CellState.UNFINISHED if (run / CHECKPOINT).is_file() else CellState.WAITING)


def _finished(folder: Path, cell: Cell) -> CellOutcome:
    try:
        run = load_run(folder)
        figures = {side: read_figures(run.metrics[side]) for side in SPLITS if run.metrics.get(side)}
        seconds = round(sum(map(float, run.manifest.get("seconds", {}).values())), 2)
        parameters = count_parameters(folder / MODEL)
    except RunError as error:
        return CellOutcome(cell, CellState.FAILED, str(error))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        return CellOutcome(cell, CellState.FAILED, f"{folder} is damaged ({error!r}). Move it away to train it again.")
    return CellOutcome(cell, CellState.FINISHED, "", figures, seconds, parameters)


def count_parameters(file: Path) -> int:
    """Number of parameters of a saved network, including moving statistics, without loading it or Keras.

    Raises:
        OSError, KeyError, ValueError: the file is not a saved network.
    """
    import h5py  # type: ignore[import-untyped]

    sizes: list[int] = []

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            sizes.append(int(item.size))

    with ZipFile(file) as archive, archive.open("model.weights.h5") as weights, h5py.File(weights, "r") as tree:
        tree.visititems(add)
    return sum(sizes)
