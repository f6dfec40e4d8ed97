"""One small real network and its export, made once: MobileNetV2 at 64 pixels whose batch norms and head mean something.

With random weights alone an export test proves little: the answers hardly vary from photo to photo. Here the batch
norm statistics are those of drawn scenes, shaken at random, and the head is fitted by least squares to tell the scenes
apart, which takes seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from click.testing import CliRunner, Result

from common.drawing import KINDS, draw_scene
from contract.geometry import Geometry, Pixels, to_input
from training.dataset.layout import Photo

SIZE_PX = 64
TEMPERATURE = 1.3
LABELS = tuple(KINDS)
SEEDS = range(90, 98)


def drawings(
    per_kind: int, first_seed: int = 0, size_px: int = SIZE_PX, kinds: Sequence[str] = LABELS
) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Scenes and their labels; uint8 [n, size_px, size_px, 3], int [n]."""
    seeds = range(first_seed, first_seed + per_kind)
    images = [
        to_input(draw_scene(kind, seed, (160, 120)), Geometry(size_px=size_px)) for seed in seeds for kind in kinds
    ]
    return np.stack(images), np.tile(np.arange(len(kinds)), per_kind)


def shake_batch_norms(network: Any, images: Pixels) -> None:
    """Give every batch norm the statistics of `images`, each moved at random, and random scales and offsets."""
    import keras

    base = network.get_layer("base")
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    base(network.get_layer("scale")(images), training=True)
    rng = np.random.default_rng(5)
    for norm in norms:
        _, _, mean, variance = norm.get_weights()
        count = len(mean)
        mean += rng.normal(0, 0.2, count) * np.sqrt(variance)
        variance *= rng.uniform(0.7, 1.4, count)
        norm.set_weights([rng.uniform(0.6, 1.4, count), rng.normal(0, 0.3, count), mean, variance])


def fit_head(network: Any, images: Pixels, labels: npt.NDArray[np.int64]) -> None:
    """Set the linear head by regularised least squares, so that the scenes are told apart with clear winners.

    One unit, behind which a sigmoid stands, gets the difference of two.
    """
    import keras

    features = keras.Model(network.input, network.get_layer("pool").output)(images, training=False).numpy()
    centred = features - features.mean(axis=0)
    targets = np.eye(labels.max() + 1)[labels] - 1 / (labels.max() + 1)
    gram = centred.T @ centred
    ridge = 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = 8 * np.linalg.solve(gram + ridge, centred.T @ targets)
    if network.output_shape[-1] == 1:
        weights = weights[:, 1:] - weights[:, :1]
    network.get_layer("logits").set_weights([weights, -features.mean(axis=0) @ weights])


@pytest.fixture(scope="session")
def network() -> Any:
    """The Keras model: uint8 images -> logits of six drawn scenes."""
    import keras

    from training.network.network import build
    from training.recipe.recipe import Input, Recipe

    keras.utils.set_random_seed(3)
    model = build(Recipe(weights="none", input=Input(size_px=SIZE_PX)), len(LABELS), None)
    images, labels = drawings(per_kind=16)
    shake_batch_norms(model, images)
    fit_head(model, images, labels)
    return model


@pytest.fixture(scope="session")
def plain(network: Any) -> onnx.ModelProto:
    """The network as tf2onnx leaves it."""
    from convert.export import keras_on_cpu, to_onnx

    keras_on_cpu()
    return to_onnx(network, TEMPERATURE, SIZE_PX)


@dataclass(frozen=True)
class Scenes:
    """A dataset of drawn scenes, of which a run's validation photos are."""

    root: Path
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]

    @classmethod
    def draw(cls, root: Path, labels: tuple[str, ...] = LABELS) -> "Scenes":
        """Write eight photos of each kind."""
        photos = tuple(Photo(root / kind / f"{seed}.jpg", i, "val") for i, kind in enumerate(labels) for seed in SEEDS)
        for photo in photos:
            photo.path.parent.mkdir(exist_ok=True)
            draw_scene(labels[photo.label], int(photo.path.stem)).save(photo.path)
        return cls(root, labels, photos)


def write_run_of(network: Any, scenes: Scenes, folder: Path, recipe: Mapping[str, Any]) -> Path:
    """Write a finished run of `network`, as it then is, with training's own writers."""
    from training.measure.predictions import Predictions, write_predictions
    from training.run import MODEL, PREDICTIONS, write_manifest

    folder.mkdir()
    network.save(folder / MODEL)
    answers = np.eye(len(scenes.labels))[[photo.label for photo in scenes.photos]]
    write_predictions(folder / PREDICTIONS, Predictions(scenes.photos, answers), scenes.root, scenes.labels)
    geometry = Geometry(size_px=network.input_shape[1])
    manifest = {
        "labels": scenes.labels,
        "geometry": {"id": geometry.id, "size_px": geometry.size_px},
        "temperature": TEMPERATURE,
        "thresholds": dict.fromkeys(scenes.labels, 0.5),
        "metrics": {"validation": {"accuracy": 1.0, "confusion": [[2, 0], [0, 2]]}},
        "recipe": recipe,
        "dataset": {"root": str(scenes.root), "sha256": "5ce9e5", "photos": {"train": 60, "val": 48, "test": 0}},
        "weights": {"name": "none"},
        "made_by": {"keras": "3.15.0"},
    }
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def write_run(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that writes a finished run of `network`, as it then is."""
    scenes = Scenes.draw(tmp_path_factory.mktemp("scenes"))
    return lambda folder: write_run_of(network, scenes, folder, {"seed": 3})


@pytest.fixture(scope="session")
def run_folder(write_run: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the network."""
    return write_run(tmp_path_factory.mktemp("runs") / "scenes")


@pytest.fixture(scope="session")
def converted(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """(the published file, what was said), over an older file."""
    from phototriage import cli

    output = tmp_path_factory.mktemp("converted") / "model.onnx"
    output.write_bytes(b"an older model")
    result = CliRunner().invoke(cli, ["convert", str(run_folder), "--output", str(output)])
    assert result.exit_code == 0, result.output
    return output, result


@pytest.fixture(scope="session")
def published(converted: tuple[Path, Result]) -> Path:
    """The published file."""
    return converted[0]
