"""Remembered photos as one byte a feature, and a fit on a file of them."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learn.fitting.head import fit, labels
from learn.fitting.layer import Floats, Layer
from learn.fitting.trial import PULL

Bytes = NDArray[np.uint8]
LARGEST = 255


def as_bytes(features: Floats) -> tuple[Bytes, Floats]:
    """One byte a feature, and the largest value of each feature: all are at least 0."""
    largest = np.maximum(features.max(axis=0), np.float32(1e-9))
    return np.round(features / largest * LARGEST).astype(np.uint8), largest


def from_bytes(stored: Bytes, largest: Floats) -> Floats:
    """The features again, to half a step."""
    features = stored.astype(np.float32)
    features *= largest / LARGEST
    return features


def fit_file(file: Path) -> str:
    """Fit on the photos of a file, and say seconds, seconds of CPU time, and peak memory in MB."""
    started, cpu = time.perf_counter(), time.process_time()
    with np.load(file) as kept:
        root = Layer(kept["kernel"], kept["bias"])
        taught = labels(kept["labels"], from_bytes(kept["stored"], kept["largest"]), len(root.bias)).in_order()
    fit(root, taught, PULL)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return f"{seconds:.2f} {cpu:.2f} {peak_mb():.0f}"


def peak_mb() -> float:
    """Peak memory of this process. Not getrusage: that counts the memory of the process that started this one."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(status["VmHWM"].split()[0]) / 1024
