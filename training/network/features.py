"""What a network answers, and the pooled features below its head, for many photos; the cache keeps features."""

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.dataset.cache import cache_root
from training.dataset.samples import Samples
from training.network.network import feature_model, two_columns
from training.progress import Reporter

PREDICT_BATCH = 64


def logits_of(model: keras.Model, samples: Samples, tick: Any = lambda done: None) -> NDArray[np.float32]:
    """What a model gives for each sample, float32 [N, classes]; photos are read from the cache batch by batch."""
    out = np.empty((len(samples.rows), model.output_shape[-1]), np.float32)
    _predict_into(out, model, samples, tick)
    return two_columns(out)


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
