"""Make a broad network from start to end: find photos, train, fit the projection, write the file and its card."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.packages import installed_versions, keras_backend
from contract.geometry import Geometry
from training.broad.card import card_text
from training.broad.distil import DistilSettings, distil, features_of_all
from training.broad.photos import BroadPhotos, find_photos, readable
from training.errors import TrainingError
from training.network.broad_network import BroadNetwork, fit_projection, rounded, write_broad
from training.network.centres import centres_of
from training.network.device import repeats, start_keras, uses_tensorflow
from training.network.weights import find_weights, sha256_of
from training.progress import Reporter

BACKBONE = "MobileNetV2"
DIMENSIONS = 128
"""Size of an embedding: 64, 128, 256 and all 1,280 values are within noise of each other (docs/broad-network.md)."""
MADE_WITH = ("tensorflow", "keras", "numpy", "pillow")
"""Packages on which the bytes of the weights depend."""
FITTED_ON = 4000
"""Most photos that the projection is fitted on, and the background."""
BACKGROUND_CENTRES = 200


@dataclass(frozen=True)
class BroadResult:
    """A finished broad network.

    Attributes:
        output: its file; the card lies beside it as `.md`.
        network: what the file holds.
    """

    output: Path
    network: BroadNetwork

    def to_json(self) -> dict[str, Any]:
        """Plain values, for scripts."""
        return {"output": str(self.output), "id": self.network.id, **self.network.card}


def train_broad_network(
    sources: Sequence[Path], output: Path, settings: DistilSettings, precision: str, reporter: Reporter
) -> BroadResult:
    """Train a broad network and write it.

    Args:
        sources: folders of photos, or text files that hold a path a line. Labels play no part.
        output: the .npz file; an older one is replaced when the new one is complete.
        settings: how long, how fast.
        precision: of the stored weights, `fp16` or `fp32`.

    Raises:
        PhototriageError: photos, teacher or output cannot be used.
    """
    _check_output(output)
    photos = find_photos(sources, settings.training_px, reporter)
    reporter.say(
        f"{len(photos.clean):,} photos of at least {settings.training_px} px, {len(photos.small):,} smaller ones,"
        f" {len(photos.unreadable):,} files left out because they cannot be read."
    )
    weights = find_weights(BACKBONE, reporter.say)
    device = start_keras(one_thread=True)
    if not uses_tensorflow():
        raise TrainingError(
            f"The broad network is trained by TensorFlow, but the backend of Keras is {keras_backend()}."
            " Set KERAS_BACKEND=tensorflow."
        )
    same = ", in one thread, so that the same command gives the same bytes" if repeats() else ""
    reporter.say(f"Training runs on {device}{same}.")
    from training.network.network import broad_features

    teacher, student = (broad_features(settings.training_px, weights, settings.batch_norm_momentum) for _ in range(2))
    with reporter.work("Training", settings.steps * settings.batch_size) as tick:
        losses = distil(teacher, student, photos, settings, tick)
    tenth = max(1, len(losses) // 10)
    first, last = float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))
    reporter.say(f"1 - cosine to the teacher: {first:.3f} at first, {last:.3f} at the end.")
    made = {
        "backbone": BACKBONE,
        "teacher": {"file": weights.name, "sha256": sha256_of(weights)},
        "settings": asdict(settings),
        "training_px": settings.training_px,
        "photos": {"clean": len(photos.clean), "small": len(photos.small)},
        "loss": {"first": round(first, 4), "last": round(last, 4)},
        "versions": installed_versions(MADE_WITH),
    }
    network = _finished(student, weights, photos, settings, precision, made, reporter)
    _write(output, network)
    return BroadResult(output, network)


def _finished(
    student: Any,
    teacher_file: Path,
    photos: BroadPhotos,
    settings: DistilSettings,
    precision: str,
    made: dict[str, Any],
    reporter: Reporter,
) -> BroadNetwork:
    """Round the weights as they are stored, and fit projection and background on features of the rounded network."""
    from training.network.network import broad_features

    weights = rounded(student.get_layer("base").get_weights(), precision)
    in_use = broad_features(settings.size_px, teacher_file)
    in_use.get_layer("base").set_weights([array.astype(np.float32) for array in weights])
    paths = (*photos.clean, *photos.small)
    chosen = [paths[place] for place in np.linspace(0, len(paths) - 1, min(FITTED_ON, len(paths))).astype(int)]
    with reporter.work("Embedding", len(chosen)) as tick:
        seen = (_ticked(photo, tick) for photo in readable(chosen, settings.size_px))
        features = features_of_all(in_use, seen, settings.batch_size)
    projection = fit_projection(features, min(DIMENSIONS, features.shape[1]))
    background = centres_of(features, BACKGROUND_CENTRES, settings.seed)
    return BroadNetwork(Geometry("stretch", settings.size_px), weights, projection, background, made)


def _ticked(photo: Any, tick: Any) -> Any:
    tick(1)
    return photo


def _check_output(output: Path) -> None:
    if output.suffix != ".npz" or output.is_dir() or not output.parent.is_dir():
        raise TrainingError(f"The output {output} must be a file that ends in .npz, in a folder that exists.")
    if not os.access(output.parent, os.W_OK | os.X_OK):  # found now, and not after minutes of training
        raise TrainingError(f"This user cannot write to the folder {output.parent} of the output. Pass another folder.")


def _write(output: Path, network: BroadNetwork) -> None:
    try:
        write_broad(output, network)
        output.with_suffix(".md").write_text(card_text(output.name, network), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{output} could not be written ({error.strerror or error}).") from error
