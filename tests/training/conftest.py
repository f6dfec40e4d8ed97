"""Small datasets of coloured photos, and one real training on them, made once for all who look at its run."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from training.progress import Reporter

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}
MakePhotos = Callable[..., list[Path]]


def make_photos(folder: Path, label: str, count: int, seed: int = 0, size: tuple[int, int] = (60, 50)) -> list[Path]:
    """Write `count` JPEGs of blocks in the label's colour (a hash of it for other labels), no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((seed, *label.encode()))
    colour = np.array(COLOURS.get(label, tuple(hash_colour(label))))
    paths = []
    for number in range(count):
        blocks = np.clip(colour + rng.integers(-40, 40, (6, 6, 3)), 0, 255).astype(np.uint8)
        path = folder / f"{number:03d}.jpg"
        Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(path, quality=92)
        paths.append(path)
    return paths


def hash_colour(label: str) -> bytes:
    """Three bytes that differ from label to label."""
    return (label.encode() * 3)[:3]


def make_dataset(root: Path, labels: Sequence[str] = tuple(COLOURS), count: int = 10, seed: int = 0) -> Path:
    """Write `root/<label>/NNN.jpg`."""
    for label in labels:
        make_photos(root / label, label, count, seed)
    return root


@pytest.fixture
def story() -> io.StringIO:
    """What the reporter of `reporter` has said."""
    return io.StringIO()


@pytest.fixture
def reporter(story: io.StringIO) -> Reporter:
    return Reporter(Console(file=story, width=200))


@pytest.fixture(name="make_dataset")
def make_dataset_fixture() -> Callable[..., Path]:
    return make_dataset


@pytest.fixture(name="make_photos")
def make_photos_fixture() -> MakePhotos:
    return make_photos


def three_layers(_name: str, size_px: int, _weights: Path | None = None) -> Any:
    """What `small_backbone` puts in the place of any backbone."""
    import keras

    images = keras.Input((size_px, size_px, 3))
    features = keras.layers.Conv2D(8, 3, strides=4)(images)
    features = keras.layers.BatchNormalization()(features)
    return keras.Model(images, keras.layers.ReLU()(features), name="base")


@pytest.fixture
def small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be built on three layers in place of MobileNetV2's 154, whose training graph takes 20 s to make."""
    from training.network import network

    monkeypatch.setattr(network, "make_backbone", three_layers)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(dataset, run folder) of a real training of two epochs on coloured photos, with test photos beside them."""
    from training.pipeline import train_run
    from training.recipe.augmentation import Augmentation
    from training.recipe.learning import FineTune, Head
    from training.recipe.recipe import Input, Recipe

    root = tmp_path_factory.mktemp("trained")
    dataset = make_dataset(root / "photos")
    test = make_dataset(root / "test", count=4, seed=9)
    recipe = Recipe(
        weights="none",
        input=Input(size_px=32),
        head=Head(epochs=10, batch_size=8),
        fine_tune=FineTune(epochs=2, batch_size=8),
        augmentation=Augmentation(crop=0.8, flip=True),
    )
    with pytest.MonkeyPatch.context() as patch:  # made before any test's own home is
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        train_run(dataset, root / "run", recipe, test, Reporter(Console(file=io.StringIO())))
    return dataset, root / "run"
