"""Runs of other backbones, and of one unit for two classes, convert, are checked and measured like any other."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from contract.session import open_model
from phototriage import cli
from tests.convert.conftest import Scenes, drawings, fit_head, write_run_of
from training.measure.open_model import open_classifier
from training.recipe.recipe import Recipe

SIZE_PX = 32


def run_of(folder: Path, labels: tuple[str, ...], options: Mapping[str, Any]) -> Path:
    """A finished run with random weights whose head tells the scenes apart.

    Batch norms stay as they are: without clipping, a network with moved ones makes differences of rounding errors.
    """
    import keras

    from training.network.network import build

    keras.utils.set_random_seed(3)
    recipe = Recipe().with_options({"weights": "none", "input.size_px": SIZE_PX, **options})
    network = build(recipe, len(labels), None)
    images, numbers = drawings(12, size_px=SIZE_PX, kinds=labels)
    fit_head(network, images, numbers)
    folder.mkdir()
    (folder / "photos").mkdir()
    return write_run_of(network, Scenes.draw(folder / "photos", labels), folder / "run", asdict(recipe))


@pytest.fixture(scope="module")
def one_unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of VGG16, whose pixels are shifted channel by channel, with one unit for two classes."""
    folder = tmp_path_factory.mktemp("vgg") / "one"
    return run_of(folder, ("forest", "street"), {"backbone": "VGG16", "network.sigmoid": True})


@pytest.fixture(scope="module")
def efficient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of EfficientNetB0, whose pixels are scaled channel by channel."""
    return run_of(
        tmp_path_factory.mktemp("efficient") / "net", ("forest", "sea", "street"), {"backbone": "EfficientNetB0"}
    )


def converted(run: Path) -> Result:
    return CliRunner().invoke(cli, ["convert", str(run), "--output", str(run / "model.onnx")])


def answers(model: Path, labels: tuple[str, ...]) -> Any:
    return open_classifier(model).classify(drawings(4, 40, SIZE_PX, labels)[0]).probabilities


@pytest.mark.parametrize("made", ["one_unit", "efficient"])
def test_the_file_says_what_the_run_says_and_names_the_backbone(made: str, request: pytest.FixtureRequest) -> None:
    run: Path = request.getfixturevalue(made)
    result = converted(run)
    assert result.exit_code == 0, result.output
    labels = open_model(run / "model.onnx", "cpu").contract.labels
    by_keras, by_onnx = answers(run, labels), answers(run / "model.onnx", labels)
    assert by_keras.shape == (4 * len(labels), len(labels))
    assert by_keras.std(axis=0).min() > 0.1, "the answers do not vary from photo to photo: nothing would be proven"
    assert np.abs(by_keras - by_onnx).max() < 1e-4
    shown = CliRunner().invoke(cli, ["inspect", str(run / "model.onnx"), "--json"])
    recipe = json.loads(shown.stdout)["recipe"]
    assert recipe["backbone"] == {"one_unit": "VGG16", "efficient": "EfficientNetB0"}[made]
    assert recipe["initial_weights"] == {"name": "none"}
    assert "MobileNetV2" not in shown.stdout


def test_evaluate_tells_the_two_classes_of_one_unit_apart(one_unit: Path) -> None:
    result = CliRunner().invoke(cli, ["evaluate", str(one_unit), str(one_unit.parent / "photos"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["metrics"]["accuracy"] > 0.8
