"""Fine-tune the last blocks on the output of the frozen trunk."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.dataset.samples import Samples
from training.fit.epoch import Epoch, TrainingState
from training.fit.feed import BatchFeed
from training.fit.finetune import Lessons, train_on_photos
from training.fit.regression import LinearHead
from training.fit.stage import Stage, with_least_steps
from training.network.features import PREDICT_BATCH
from training.network.trunk import Trunk
from training.on_features.networks import TailNetworks
from training.progress import Reporter, Tick
from training.recipe.recipe import Recipe

MOST_JUDGES = 2000
"""The most photos that each epoch is measured on: their maps take 77 MB at 160 px."""
MOST_MAKERS = 16
"""The most batches that are prepared at the same time."""


@dataclass(frozen=True)
class Lesson:
    """What one fine-tuning learns from and is measured on.

    Attributes:
        learning: training photos at the size of fine-tuning.
        judges: photos at the size of the input that it does not learn from.
        start: head on the broad features of photos that it may see.
        first: the history before it: epoch 0, measured.
    """

    learning: Samples
    judges: Samples
    start: LinearHead
    first: Epoch


@dataclass(frozen=True)
class TailTraining:
    """Fine-tunes tails of one recipe.

    Attributes:
        recipe: its fine-tuning stage learns; it has at least one frozen block.
        networks: of this recipe.
    """

    recipe: Recipe
    networks: TailNetworks
    trunk: Trunk
    classes: int
    reporter: Reporter

    def train(
        self,
        lesson: Lesson,
        on_epoch: Callable[[TrainingState], None] = lambda _: None,
        state: TrainingState | None = None,
    ) -> tuple[keras.Model, bool]:
        """Fine-tune one tail.

        Args:
            on_epoch, state: as in training.fit.finetune.train_on_photos.

        Returns:
            The tail for photos of the input's size, which the next fine-tuning changes, and whether Ctrl-C stopped it.
        """
        recipe = with_least_steps(self.recipe, len(lesson.learning.rows))
        judged = self.networks.judged(lesson.start)
        count = len(lesson.judges.rows)  # of all classes, which follow each other
        judges = lesson.judges.take(np.linspace(0, count - 1, min(count, MOST_JUDGES)).astype(np.int64))
        maps = [part for _, part in self.trunk.each(self.trunk.maps, judges)]
        lessons = Lessons(
            learner=lambda _: self.networks.learner(),
            feed=lambda stage: self._feed(lesson.learning, stage),
            logits=lambda: self._answers(judged, maps),
            labels=judges.labels,
            last_is_best=not (recipe.fine_tune.patience and count),
        )
        begun = state or TrainingState.before_stage((lesson.first,), judged.get_weights())
        return judged, train_on_photos(judged, lessons, recipe, on_epoch, self.reporter, begun)

    def _answers(self, judged: keras.Model, maps: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Logits for maps; no rows without maps."""
        none = np.zeros((0, self.classes), np.float32)
        return np.concatenate([none, *(_predict(judged, part) for part in maps)])

    def features(self, samples: Samples, out: NDArray[np.float32], tick: Tick) -> None:
        """Write the task features of samples by the tail of the last fine-tuning, float32 [N, F], into `out`."""
        for place, maps in self.trunk.each(self.trunk.maps, samples):
            out[place] = _predict(self.networks.describing, maps)
            tick(len(maps))

    def _feed(self, learning: Samples, stage: Stage) -> BatchFeed:
        return BatchFeed(
            learning.pixels,
            learning.rows,
            learning.labels,
            self.classes,
            stage.settings.batch_size,
            self.recipe.augmentation,
            self.recipe.seed,
            self.trunk.maps,
            min(MOST_MAKERS, max(2, len(os.sched_getaffinity(0)))),
        )


def _predict(model: keras.Model, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a Keras model in full batches: for another shape the backend would build the graph again."""
    out: list[Any] = []
    for start in range(0, len(maps), PREDICT_BATCH):
        part = maps[start : start + PREDICT_BATCH]
        padded = np.resize(part, (PREDICT_BATCH, *part.shape[1:]))
        out.append(model.predict_on_batch(padded)[: len(part)])
    found: NDArray[np.float32] = np.concatenate(out)
    return found
