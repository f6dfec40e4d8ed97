"""The head on features: the layers on the backbone learn from its pooled features, in seconds."""

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from training.fit.epoch import HEAD, Epoch
from training.fit.optimizer import classes_of, loss_of, optimizer_of, targets_of
from training.fit.stage import head_stage
from training.measure.metrics import log_loss, softmax
from training.network.network import top_model, two_columns
from training.recipe.learning import Head
from training.recipe.recipe import Recipe

BLOCK = 4096  # features read at once, so that a memory-mapped array stays on disk


def train_head(
    model: keras.Model,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    recipe: Recipe,
) -> float:
    """Train the layers on the pooled features: a linear classifier, optionally with hidden layers.

    Args:
        model: its layers above the pooling learn, and end with the weights of the best epoch.
        features: float32 [N, F], may be memory-mapped.
        labels: int64 [N].
        sides: indices of the training photos and of the validation photos.

    Returns:
        The validation accuracy of the best epoch.
    """
    (train, val), head = sides, recipe.head
    size = min(head.batch_size, len(train))
    steps = len(train) // size
    stage = head_stage(replace(head, epochs=max(head.epochs, -(-head.least_steps // steps))))
    top = _FeatureHead(model, features, labels, head)
    rng = np.random.default_rng(recipe.seed)
    best = replace(Epoch.zero(HEAD), best=True)
    history, kept = [best], top.network.get_weights()
    while stage.end_reason(history) is None:
        picks = rng.permutation(train)[: steps * size].reshape(steps, size)
        top.learn(picks, stage.rates(history, steps))
        epoch = top.judged(val, replace(Epoch.zero(HEAD), epoch=len(history)))
        if epoch.better_than(best, recipe.monitor):
            epoch = best = replace(epoch, best=True)
            kept = top.network.get_weights()
        history.append(epoch)
    top.network.set_weights(kept)
    return best.accuracy


class _FeatureHead:
    """The layers on the features, and how they learn."""

    def __init__(
        self, model: keras.Model, features: NDArray[np.float32], labels: NDArray[np.int64], head: Head
    ) -> None:
        self.network = top_model(model)
        self._features, self._labels = features, labels
        self._outputs = int(model.output_shape[-1])
        self._one_hot = np.eye(classes_of(model), dtype=np.float32)
        self._optimizer = optimizer_of(head)
        self.network.compile(self._optimizer, loss_of(self._outputs))

    def learn(self, picks: NDArray[np.int64], rates: Iterator[float]) -> None:
        """Do one pass: one step for each row of `picks`, which holds indices of photos."""
        for pick, rate in zip(picks, rates, strict=True):
            self._optimizer.learning_rate = rate
            self.network.train_on_batch(
                self._features[pick], targets_of(self._one_hot[self._labels[pick]], self._outputs)
            )

    def judged(self, photos: NDArray[np.int64], epoch: Epoch) -> Epoch:
        """Return the epoch with accuracy and log loss on these photos."""
        right, lost = 0, 0.0
        for block in np.array_split(photos, len(photos) // BLOCK + 1):
            logits = two_columns(self.network.predict_on_batch(self._features[block]))
            right += int((logits.argmax(axis=1) == self._labels[block]).sum())
            lost += log_loss(self._labels[block], softmax(logits)) * len(block)
        return replace(epoch, accuracy=right / len(photos), log_loss=lost / len(photos))
