"""Logits and pooled features of a network for many photos; features are cached."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.dataset.cache import cache_root
from training.dataset.decoders import decoders
from training.dataset.feature_file import DamagedFeaturesError, open_features, seal
from training.dataset.samples import Samples
from training.network.network import feature_model, two_columns
from training.progress import Reporter, Tick

PREDICT_BATCH = 64


def logits_of(model: keras.Model, samples: Samples, tick: Any = lambda done: None) -> NDArray[np.float32]:
    """Logits of each sample, float32 [N, classes]; photos are read from the cache batch by batch."""
    out = np.empty((len(samples.rows), model.output_shape[-1]), np.float32)
    _predict_into(out, model, samples, tick)
    return two_columns(out)


def _predict_into(out: NDArray[np.float32], model: keras.Model, samples: Samples, tick: Any) -> None:
    for start in range(0, len(samples.rows), PREDICT_BATCH):
        rows = samples.rows[start : start + PREDICT_BATCH]
        # Always full batches: for another shape the backend would build the graph again.
        padded = np.resize(rows, PREDICT_BATCH)
        photos = np.stack([samples.pixels[row] for row in padded])
        out[start : start + len(rows)] = model.predict_on_batch(photos)[: len(rows)]
        tick(len(rows))


def features_of(model: keras.Model, samples: Samples, origin: str, reporter: Reporter) -> NDArray[np.float32]:
    """Pooled features of a Keras network, float32 [N, F], memory-mapped; cached for the next run on the same photos.

    Args:
        origin: SHA-256 of the weights and geometry of the photos; empty for random weights, whose features are not
            cached.
    """
    network = feature_model(model)

    def fill(out: NDArray[np.float32], tick: Tick) -> None:
        _predict_into(out, network, samples, tick)

    return cached_features(samples, int(network.output_shape[-1]), origin, fill, reporter)


def cached_features(
    samples: Samples,
    width: int,
    origin: str,
    fill: Callable[[NDArray[np.float32], Tick], None],
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Features of samples, float32 [N, width], memory-mapped; computed by `fill` unless they are in the cache.

    Args:
        origin: what decides the features beside the photos; empty if they are not worth keeping.
        fill: computes all rows.
    """
    key = hashlib.sha256(b"".join((f"{origin} {decoders()}".encode(), b"\0", *samples.hashes)))
    file = cache_root() / "features" / f"{key.hexdigest()}.npy"
    if origin:
        known = _known(file, len(samples.rows), reporter)
        if known is not None:
            return known
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / "lock").open("w") as lock:
        fcntl.flock(
            lock, fcntl.LOCK_SH
        )  # held while a file is incomplete, so that `phototriage cache --clean` skips it
        return _compute(file, (len(samples.rows), width), bool(origin), fill, reporter)


def _compute(
    file: Path,
    shape: tuple[int, int],
    keep: bool,
    fill: Callable[[NDArray[np.float32], Tick], None],
    reporter: Reporter,
) -> NDArray[np.float32]:
    """Compute features into a new file. It is renamed to `file`, or has no name if it is not kept."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        out = np.lib.format.open_memmap(part, "w+", np.float32, shape)
        with part.open(
            "r+b"
        ) as whole:  # allocate the space now, because a disk that fills up later would kill the process (SIGBUS)
            os.posix_fallocate(whole.fileno(), 0, part.stat().st_size)
        with reporter.work("Features", shape[0]) as tick:
            fill(out, tick)
        out.flush()
        if keep:
            seal(part, out)
            part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return out


def _known(file: Path, photos: int, reporter: Reporter) -> NDArray[np.float32] | None:
    """Features in the cache; None if there are none, or if they are damaged."""
    try:
        known = open_features(file, photos)
    except FileNotFoundError:
        return None
    except DamagedFeaturesError as error:
        reporter.say(f"The cached features {file} are damaged ({error}), and are computed again.")
        return None
    with suppress(OSError):  # the file of another user, readable but not writable
        os.utime(file)  # the time of the last use, for `phototriage cache`
    return known
