"""What do labels bring to the whole network, where `learn` teaches the last layer alone?

The first photos of each class of SHARED/clothing/train are the old dataset, as many further ones are what an owner
labelled. Three models answer the test photos: trained on the old dataset; the same after `learn`; trained on the old
dataset and the labels. A fifth of the old dataset validates, so that fine-tuning is judged once. --short needs no
photos.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import tell
from benchmarks.told import Row, Told
from benchmarks.training.child import ROOT
from benchmarks.training.drawn import draw_photos
from benchmarks.training.subsets import Photos, by_class

VALIDATING = 5
"""One old photo of so many validates."""


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("shared", nargs="?", type=Path, help="folder that holds clothing")
    options.add_argument("--photos", type=int, default=75, help="of each class in the old dataset: 75")


def run(arguments: argparse.Namespace) -> Told:
    if arguments.shared is None and not arguments.short:
        raise SystemExit("Pass the folder that holds clothing, or --short.")
    place = (arguments.work / ("labelled-short" if arguments.short else "labelled")).absolute()
    shutil.rmtree(place, ignore_errors=True)
    if arguments.short:
        drawn = by_class(draw_photos(arguments.work, 1_000))
        train, test = ({name: files[part::2] for name, files in drawn.items()} for part in (0, 1))
    else:
        train, test = (by_class(arguments.shared.absolute() / "clothing" / part) for part in ("train", "test"))
    count = 25 if arguments.short else arguments.photos
    labels = _layout(place, train, test, count)
    rows = [_row(name, model, place) for name, model in _models(place, labels, arguments.short)]
    gain = rows[2]["accuracy"] - rows[1]["accuracy"]
    return Told(
        rows,
        {"gain over learn": round(gain, 4)},
        f"Share of right answers on photos that nobody learnt from; {labels.read_text().count(chr(10))} labels.",
    )


def _layout(place: Path, train: Photos, test: Photos, count: int) -> Path:
    """Link the old dataset and the test photos, and write the labels of the others; returns their file."""
    lines = []
    for name, files in train.items():
        for number, file in enumerate(files[:count]):
            _link(file, place / "old" / ("train" if number % VALIDATING else "val") / name)
        for file in files[count:]:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            lines.append(json.dumps({"sha256": digest, "said": name, "path": str(file)}))
        for file in test[name]:
            _link(file, place / "test" / name)
    labels = place / "labels.jsonl"
    labels.write_text("".join(f"{line}\n" for line in lines))
    return labels


def _link(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).symlink_to(file)


def _models(place: Path, labels: Path, short: bool) -> list[tuple[str, Path]]:
    old, learnt, both = place / "without", place / "learnt.onnx", place / "with"
    few = ("--epochs", "0") if short else ()
    _call(place, "train", place / "old", "--output", old, *few)
    _call(place, "convert", old, "--output", place / "without.onnx")
    _call(place, "learn", "--labels", labels, "--base", place / "without.onnx", "--output", learnt)
    _call(place, "train", place / "old", "--labels", labels, "--output", both, *few)
    return [("trained without labels", old), ("the same, and `learn`", learnt), ("trained with labels", both)]


def _row(name: str, model: Path, place: Path) -> Row:
    found: dict[str, Any] = json.loads(_call(place, "evaluate", model, place / "test", "--json"))["metrics"]
    recalls = [figures["recall"] for figures in found["classes"]]
    return {
        "model": name,
        "accuracy": round(found["accuracy"], 4),
        "least recall": round(min(recalls), 4),
        "log loss": round(found["log_loss"], 4),
    }


def _call(place: Path, *words: object) -> str:
    tell(f"phototriage {words[0]}")
    variables = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "phototriage", *map(str, words)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return done.stdout
