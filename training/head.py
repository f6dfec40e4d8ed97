"""The head stage: one pass of the network as it starts, then a linear classifier on its features, in seconds."""

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.cache import cache_root
from training.data import Samples
from training.network import feature_model
from training.progress import Reporter
from training.recipe import Head
from training.schedule import rate

PREDICT_BATCH = 64


def logits_of(model: keras.Model, samples: Samples, tick: Any = lambda done: None) -> NDArray[np.float32]:
    """What a model gives for each sample, float32 [N, outputs]; photos are read from the cache batch by batch."""
    out = np.empty((len(samples.rows), model.output_shape[-1]), np.float32)
    _predict_into(out, model, samples, tick)
    return out


def _predict_into(out: NDArray[np.float32], model: keras.Model, samples: Samples, tick: Any) -> None:
    for start in range(0, len(samples.rows), PREDICT_BATCH):
        rows = samples.rows[start : start + PREDICT_BATCH]
        # Always full batches: another shape would make the backend build the graph anew.
        padded = np.resize(rows, PREDICT_BATCH)
        photos = np.stack([samples.pixels[row] for row in padded])
        out[start : start + len(rows)] = model.predict_on_batch(photos)[: len(rows)]
        tick(len(rows))


def features_of(model: keras.Model, samples: Samples, origin: str, reporter: Reporter) -> NDArray[np.float32]:
    """Pooled features, float32 [N, 1280], memory-mapped; the cache keeps them for the next run on the same photos.

    Args:
        origin: the weights' SHA-256 and the photos' geometry; empty for random weights, whose features are not kept.
    """
    network = feature_model(model)
    key = hashlib.sha256(b"".join((origin.encode(), b"\0", *samples.hashes)))
    file = cache_root() / "features" / f"{key.hexdigest()}.npy"
    if origin:
        with suppress(FileNotFoundError):
            known: NDArray[np.float32] = np.load(file, mmap_mode="r")
            with suppress(OSError):  # another user's, who may read it all the same
                os.utime(file)  # the time of the last use, for `phototriage cache`
            return known
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # held while files are half written: `phototriage cache --clean` leaves those
        return _computed(network, samples, file, bool(origin), reporter)


def _computed(
    network: keras.Model, samples: Samples, file: Path, keep: bool, reporter: Reporter
) -> NDArray[np.float32]:
    """Features in a new file, which has the name `file` in the end, or, not kept, no name at all."""
    shape = (len(samples.rows), int(network.output_shape[-1]))
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        out = np.lib.format.open_memmap(part, "w+", np.float32, shape)
        with part.open("r+b") as whole:  # claim the space now: a full disk would otherwise kill the process by SIGBUS
            os.posix_fallocate(whole.fileno(), 0, part.stat().st_size)
        with reporter.work("Features", len(samples.rows)) as tick:
            _predict_into(out, network, samples, tick)
        out.flush()
        if keep:
            part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return out


def train_head(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    classes: int,
    recipe: Head,
    seed: int,
) -> tuple[list[NDArray[np.float32]], float]:
    """Train a linear classifier on features.

    Args:
        features: float32 [N, F], may be memory-mapped. labels: int64 [N].
        sides: numbers of the photos to train on, and of those to check with.

    Returns:
        Its weights [F, classes] and bias [classes], of the epoch with the best validation accuracy, and that accuracy.
    """
    train, val = sides
    model = keras.Sequential([keras.Input((features.shape[1],)), keras.layers.Dense(classes)])
    optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    size = min(recipe.batch_size, len(train))
    steps = len(train) // size
    epochs = max(recipe.epochs, -(-recipe.least_steps // steps))
    rng = np.random.default_rng(seed)
    best, kept = -1.0, model.get_weights()
    for epoch in range(epochs):
        picks = rng.permutation(train)[: steps * size].reshape(steps, size)
        for step, pick in enumerate(picks, epoch * steps):
            optimizer.learning_rate = rate(step, epochs * steps, recipe.learning_rate, warmup=0.05)
            model.train_on_batch(features[pick], labels[pick])
        weights = model.get_weights()
        accuracy = _accuracy(features, labels, val, weights)
        if accuracy > best:
            best, kept = accuracy, weights
    return kept, best


def _accuracy(
    features: NDArray[np.float32], labels: NDArray[np.int64], photos: NDArray[np.int64], weights: list[Any]
) -> float:
    """Share of right answers, in blocks, so that a memory-mapped array stays on disk."""
    right = 0
    for block in np.array_split(photos, len(photos) // 4096 + 1):
        answers = features[block] @ weights[0] + weights[1]
        right += int((answers.argmax(axis=1) == labels[block]).sum())
    return right / len(photos)
