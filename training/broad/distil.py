"""Train the student: for a degraded photo it learns the features that its teacher gives to the clean photo.

The same photos, seed and versions give the same weights, to the bit, because TensorFlow computes in one thread: with
more threads, sums of gradients are rounded in another order each time.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from contract.geometry import Pixels
from training.broad.degrade import degrade
from training.broad.photos import BroadPhotos, cut
from training.errors import TrainingError

SMALL_SHARE = 0.5
"""Largest share of a batch that is photos smaller than the input. Their teacher's features are those of a soft picture.
Without them more shrunk strangers pass than with the teacher (docs/broad-network.md); larger shares were not tried."""
SCALE = 0.8
"""Side of the training photos, as a share of the input's."""
TRIES = 100
"""Photos that may fail one after the other."""


@dataclass(frozen=True)
class DistilSettings:
    """Settings of a distillation.

    Attributes:
        size_px: side of the input in use.
        steps: batches to learn from.
        batch_size: photos in each.
        learning_rate: the highest; it rises over the first tenth, then falls to zero as a cosine.
        weight_decay: of AdamW.
        batch_norm_momentum: how slowly the moving statistics of batch normalisation follow.
        seed: of order, cuts and damage.
    """

    size_px: int = 160
    steps: int = 600
    batch_size: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    batch_norm_momentum: float = 0.98
    seed: int = 0

    @property
    def training_px(self) -> int:
        """Side of the photos learnt from: four fifths of the input's, to the nearest 32 px.

        Cuts make things look larger than in use. The larger input makes up for that, and training costs less.
        """
        return max(32, 32 * round(SCALE * self.size_px / 32))


def distil(
    teacher: Any,
    student: Any,
    photos: BroadPhotos,
    settings: DistilSettings,
    tick: Callable[[int], None],
) -> list[float]:
    """Train the student in place; returns the loss of each step: 1 minus the cosine to the teacher's features.

    Args:
        teacher: Keras model, uint8 [N, S, S, 3] -> pooled features; it does not change.
        student: the same network; it begins with the teacher's weights.
        photos: to learn from.
        settings: how long, how fast.
        tick: called with the number of photos after each step.

    Raises:
        TrainingError: almost no photo can be read any more.
    """
    step = _make_step(teacher, student, settings)
    losses = []
    for clean, worse in _prefetched(lambda number: make_batch(photos, settings, number), settings.steps):
        losses.append(float(step(clean, worse)))
        tick(len(clean))
    return losses


def _make_step(teacher: Any, student: Any, settings: DistilSettings) -> Any:
    import keras
    import tensorflow as tf

    warm = max(1, settings.steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, settings.steps - warm), warmup_target=settings.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    student.trainable = True

    def normalised(features: Any) -> Any:
        return tf.math.l2_normalize(features, axis=1)

    @tf.function
    def step(clean: Any, worse: Any) -> Any:
        """Learn from one batch; returns its loss."""
        aim = normalised(teacher(clean, training=False))
        with tf.GradientTape() as tape:
            # Batch normalisation learns too, because statistics of degraded photos differ from ImageNet's.
            loss = 1 - tf.reduce_mean(tf.reduce_sum(normalised(student(worse, training=True)) * aim, axis=1))
        variables = student.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step


def make_batch(photos: BroadPhotos, settings: DistilSettings, number: int) -> tuple[Pixels, Pixels]:
    """Batch `number`, which depends on photos, seed and number alone.

    Returns:
        (clean photos, the same photos degraded), each uint8 [batch, S, S, 3].

    Raises:
        TrainingError: almost no photo can be read any more.
    """
    rng = np.random.default_rng((settings.seed, number))
    small = min(len(photos.small), round(settings.batch_size * SMALL_SHARE))
    clean = [
        *_cuts(photos.clean, settings.batch_size - small, settings.training_px, rng),
        *_cuts(photos.small, small, settings.training_px, rng),
    ]
    return np.stack(clean), np.stack([degrade(photo, rng) for photo in clean])


def _cuts(paths: Sequence[Path], count: int, size_px: int, rng: np.random.Generator) -> Iterator[Pixels]:
    for _ in range(count):
        for _ in range(TRIES):
            try:
                photo = cut(paths[int(rng.integers(len(paths)))], size_px, rng)
            except (PhotoError, OSError):
                continue
            yield photo
            break
        else:
            raise TrainingError(f"{TRIES} photos in a row could not be read. Check that the folders are still there.")


def _prefetched(make: Callable[[int], tuple[Pixels, Pixels]], steps: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Make each batch while the previous one is being learnt from."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, 0)
        for number in range(1, steps + 1):
            batch = coming.result()
            if number < steps:
                coming = pool.submit(make, number)
            yield batch


def features_of_all(model: Any, photos: Iterator[Pixels], batch_size: int) -> NDArray[np.float32]:
    """Pooled features of photos, float32 [N, F]."""
    found, waiting = [], list[Pixels]()
    for photo in photos:
        waiting.append(photo)
        if len(waiting) == batch_size:
            found.append(model.predict_on_batch(np.stack(waiting)))
            waiting = []
    if waiting:
        found.append(model.predict_on_batch(np.stack(waiting)))
    features: NDArray[np.float32] = np.concatenate(found)
    return features
