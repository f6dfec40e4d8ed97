"""Seconds and memory of a fit on many remembered photos, in a process that knows numpy and scipy alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.common import ROOT, tell
from benchmarks.learn.features import LATER, NEVER, TRAIN, Store
from benchmarks.learn.stored import LARGEST, as_bytes
from benchmarks.told import Row, Told

PHOTOS = (10_000, 100_000)
TIMED = 64  # photos
MEANING = (
    "Seconds of CPU time and peak memory of a process that reads 10,000 photos as one byte a feature, and fits a head."
)
CHILD = """
import sys
from pathlib import Path
from benchmarks.learn.stored import fit_file
print(fit_file(Path(sys.argv[1])))
"""


def measured(store: Store, place: Path, short: bool) -> Told:
    """Fit in a child for each number of photos, and time the features beside it."""
    rows = []
    for count in PHOTOS[:1] if short else PHOTOS:
        tell(f"{count} photos")
        file = place / f"{count}.npz"
        _write(store, count, file)
        rows.append(_row(store, count, file))
        file.unlink()
    return Told(rows, {"CPU s": rows[0]["CPU s"], "MB": rows[0]["peak MB"]}, MEANING)


def _write(store: Store, count: int, file: Path) -> None:
    """Photos of all sides of the scenes, and as many of them again as are wanted, each a little different."""
    sides = [store.scenes(side) for side in (TRAIN, LATER, NEVER)]
    features = np.concatenate([side.features for side in sides])
    stored, largest = as_bytes(features)
    places = np.arange(count) % len(features)
    known = np.concatenate([side.labels for side in sides])[places]
    rng = np.random.default_rng(0)
    many = stored[places]
    for start in range(len(features), count, len(features)):
        part = many[start : start + len(features)]
        part += (part < LARGEST) & (rng.random(part.shape, np.float32) < 0.5)
    np.savez(file, kernel=store.layer.kernel, bias=store.layer.bias, stored=many, largest=largest, labels=known)


def _row(store: Store, count: int, file: Path) -> Row:
    command = [sys.executable, "-c", CHILD, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    seconds, cpu, peak = done.stdout.split()
    return {
        "photos": count,
        "seconds": float(seconds),
        "CPU s": float(cpu),
        "peak MB": float(peak),
        "MB on disk": round(file.stat().st_size / 1e6, 1),
        "ms for the features of a photo": store.milliseconds(TIMED),
    }
