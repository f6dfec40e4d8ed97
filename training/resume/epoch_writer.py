"""Write the results of each epoch into the run folder, so that a kill costs only the current epoch."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from common.publish import publish_bytes
from training.fit.epoch import Epoch, TrainingState
from training.output import publishing
from training.recipe.recipe import Recipe
from training.resume.checkpoint import CheckpointHeader, write_checkpoint
from training.resume.timer import Timer
from training.run import CHECKPOINT, HISTORY, MODEL, RECIPE

if TYPE_CHECKING:
    import keras


class EpochWriter:
    """Writes checkpoint, history and the best network of a training into its run folder.

    Args:
        model: the network, which holds the weights of the epoch when `write_epoch` is called; None if epochs train only
            a part of it, and the whole is written at the end.
    """

    def __init__(
        self, output: Path, model: "keras.Model | None", recipe: Recipe, header: CheckpointHeader, timer: Timer
    ) -> None:
        self._output, self._model, self._recipe, self._header, self._timer = output, model, recipe, header, timer

    def write_epoch(self, state: TrainingState) -> None:
        """Write one epoch. The checkpoint comes first, because the other files can be made from it.

        Raises:
            OSError: the disk is full. The last checkpoint stays.
        """
        header = replace(self._header, epoch=state.epoch, seconds=self._timer.so_far())
        write_checkpoint(self._output, header, state)
        publish_bytes(self._output / RECIPE, self._recipe.to_toml().encode())
        publish_bytes(self._output / HISTORY, _table(state.epochs))
        if state.epochs[-1].best:
            self.save_model()

    def save_model(self) -> None:
        """Write model.keras, if there is a network: without the optimizer, which belongs to the learner."""
        if self._model is not None:
            save_network(self._output, self._model)


def finish(output: Path) -> None:
    """Remove the checkpoint, because the run is complete."""
    (output / CHECKPOINT).unlink(missing_ok=True)


def save_network(output: Path, model: "keras.Model") -> None:
    """Write model.keras of a run folder by one rename."""
    with publishing(output / MODEL) as part:
        model.save(part)


def _table(epochs: Sequence[Epoch]) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.DictWriter(text, [item.name for item in fields(Epoch)])
    rows.writeheader()
    rows.writerows(asdict(epoch) for epoch in epochs)
    return text.getvalue().encode()
