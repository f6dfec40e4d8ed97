"""Seconds and memory of a fit on many remembered photos: alone, and in the process that `phototriage learn` starts."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.common import ROOT, tell
from benchmarks.learn.features import LATER, NEVER, TRAIN, Store
from benchmarks.learn.stored import LARGEST, as_bytes
from benchmarks.told import Row, Told
from learn.feature_cache import FeatureCache
from learn.job import Job
from learn.label_file import read_labels, spread
from learn.material import network_of
from learn.model.base import open_base
from learn.work import MOST_LABELS

PHOTOS = (10_000, 100_000)
TIMED = 64  # photos
WRONG = 0.1  # of the labels
MEANING = (
    "Seconds of CPU time and peak memory of a process that reads 10,000 photos as one byte a feature, and fits a head."
)
LEARN = """
import atexit, sys, time
from benchmarks.learn.stored import peak_mb
from learn import child
started = time.perf_counter()
atexit.register(lambda: print(time.perf_counter() - started, time.process_time(), peak_mb(), file=sys.stderr))
child.main()
"""
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
    rows += [_learnt(store, place / f"learn-{count}", count) for count in (PHOTOS[:1] if short else PHOTOS)]
    return Told(rows, {"CPU s": rows[0]["CPU s"], "MB": rows[0]["peak MB"]}, MEANING)


def _learnt(store: Store, place: Path, count: int) -> Row:
    """Let the child of `learn --labels` learn from labels whose photos were read before."""
    tell(f"{count} labels")
    labels = _labels(store, count, place)
    job = Job(
        place / "new.onnx", labels, store.model, filed=None, names={}, yes=True, auto=True, dry_run=False, as_json=True,
        report=None,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", LEARN, job.to_json()], capture_output=True, text=True, cwd=ROOT, check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(place)},
    )  # fmt: skip
    seconds, cpu, peak = map(float, done.stderr.split())
    (kept,) = place.rglob("*.npz")
    disk = round(kept.stat().st_size / 1e6, 1)
    shutil.rmtree(place)
    told = {"seconds": round(seconds, 2), "CPU s": round(cpu, 2), "peak MB": round(peak), "MB on disk": disk}
    return {"what": "all of `learn`", "photos": count, **told, "ms for the features of a photo": "-"}


def _labels(store: Store, count: int, place: Path) -> Path:
    """Write labels, a tenth of them of any class, and the features of those that are learnt from, as a call before."""
    sides = [store.scenes(side) for side in (TRAIN, LATER, NEVER)]
    features, known = (np.concatenate([getattr(side, name) for side in sides]) for name in ("features", "labels"))
    rng, classes = np.random.default_rng(0), store.classes
    rows, names = {}, []
    for number in range(count):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        rows[sha256] = number % len(features)
        wrong = rng.random() < WRONG
        names.append(classes[int(rng.integers(len(classes))) if wrong else int(known[number % len(features)])])
    place.mkdir(parents=True)
    lines = [json.dumps({"sha256": key, "said": said, "path": key}) for key, said in zip(rows, names, strict=True)]
    file = place / "labels.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    network = network_of(open_base(store.model.read_bytes()))
    cache = FeatureCache(place / "phototriage" / "learn" / f"{network.name}.npz", network.width, network.parts)
    used = {one.sha256: [Path(one.sha256)] for one in spread(read_labels(file), MOST_LABELS)}
    cache.get(used, lambda path: (path.name, features[rows[path.name]]), 1)
    cache.save(used)
    return file


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
        "what": "the fit alone",
        "photos": count,
        "seconds": float(seconds),
        "CPU s": float(cpu),
        "peak MB": float(peak),
        "MB on disk": round(file.stat().st_size / 1e6, 1),
        "ms for the features of a photo": store.milliseconds(TIMED),
    }
