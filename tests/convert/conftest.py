"""One small real network and its export, made once: MobileNetV2 at 64 pixels whose batch norms and head mean something.

With random weights alone an export test proves little: the answers hardly vary from photo to photo. Here the batch
norm statistics are those of drawn scenes, shaken at random, and the head is fitted by least squares to tell the scenes
apart, which takes seconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from click.testing import CliRunner, Result

from contract.drawing import KINDS, draw_scene
from contract.geometry import Geometry, Pixels, to_input

SIZE_PX = 64
TEMPERATURE = 1.3
LABELS = tuple(KINDS)


def drawings(per_kind: int, first_seed: int = 0) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Scenes and their labels; uint8 [n, SIZE_PX, SIZE_PX, 3], int [n]."""
    seeds = range(first_seed, first_seed + per_kind)
    images = [
        to_input(draw_scene(kind, seed, (160, 120)), Geometry(size_px=SIZE_PX)) for seed in seeds for kind in KINDS
    ]
    return np.stack(images), np.tile(np.arange(len(KINDS)), per_kind)


def shake_batch_norms(network: Any, images: Pixels) -> None:
    """Give every batch norm the statistics of `images`, each moved at random, and random scales and offsets."""
    import keras

    base = network.get_layer("base")
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    base(images / np.float32(127.5) - 1, training=True)
    rng = np.random.default_rng(5)
    for norm in norms:
        _, _, mean, variance = norm.get_weights()
        count = len(mean)
        mean += rng.normal(0, 0.2, count) * np.sqrt(variance)
        variance *= rng.uniform(0.7, 1.4, count)
        norm.set_weights([rng.uniform(0.6, 1.4, count), rng.normal(0, 0.3, count), mean, variance])


def fit_head(network: Any, images: Pixels, labels: npt.NDArray[np.int64]) -> None:
    """Set the linear head by regularised least squares, so that the scenes are told apart with clear winners."""
    import keras

    features = keras.Model(network.input, network.get_layer("pool").output)(images, training=False).numpy()
    centred = features - features.mean(axis=0)
    targets = np.eye(labels.max() + 1)[labels] - 1 / (labels.max() + 1)
    gram = centred.T @ centred
    ridge = 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = 8 * np.linalg.solve(gram + ridge, centred.T @ targets)
    network.get_layer("logits").set_weights([weights, -features.mean(axis=0) @ weights])


@pytest.fixture(scope="session")
def network() -> Any:
    """The Keras model: uint8 images -> logits of six drawn scenes."""
    import keras

    from training.network import build
    from training.recipe import Input, Recipe

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


@pytest.fixture(scope="session")
def write_run(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that writes a finished run of `network`, as it then is, with training's own writers."""
    from training.layout import Photo
    from training.run import MODEL, PREDICTIONS, write_manifest
    from training.table import Predictions, write_predictions

    dataset = tmp_path_factory.mktemp("scenes")
    photos = [
        Photo(dataset / kind / f"{seed}.jpg", i, "val") for i, kind in enumerate(LABELS) for seed in range(90, 98)
    ]
    for photo in photos:
        photo.path.parent.mkdir(exist_ok=True)
        draw_scene(LABELS[photo.label], int(photo.path.stem)).save(photo.path)

    def write(folder: Path) -> Path:
        folder.mkdir()
        network.save(folder / MODEL)
        answers = np.eye(len(LABELS))[[photo.label for photo in photos]]
        write_predictions(folder / PREDICTIONS, Predictions(tuple(photos), answers), dataset, LABELS)
        geometry = Geometry(size_px=SIZE_PX)
        manifest = {
            "labels": LABELS,
            "geometry": {"id": geometry.id, "size_px": SIZE_PX},
            "temperature": TEMPERATURE,
            "thresholds": dict.fromkeys(LABELS, 0.5),
            "metrics": {"validation": {"accuracy": 1.0, "confusion": [[2, 0], [0, 2]]}},
            "recipe": {"seed": 3},
            "dataset": {"root": str(dataset), "sha256": "5ce9e5", "photos": {"train": 60, "val": 48, "test": 0}},
            "weights": {"name": "none"},
            "made_by": {"keras": "3.15.0"},
        }
        write_manifest(folder, manifest)
        return folder

    return write


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
