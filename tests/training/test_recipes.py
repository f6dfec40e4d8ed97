"""Each shipped recipe runs end to end on a few photos, and keeps what its name promises."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.errors import PhototriageError
from training.commands.train import train
from training.errors import RecipeError
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import Grid, load_recipe, load_recipe_or_grid, shipped_recipes
from training.recipe.settings import toml_literal
from training.run import load_run

Make = Callable[..., Path]
FEW = {"weights": "none", "input.size_px": 32, "fine_tune.scale": 1.0, "head.least_steps": 2}


def few(chosen: Any) -> dict[str, Any]:
    """Settings by which a recipe costs seconds: random weights, tiny photos, one epoch of each of its stages."""
    recipe = chosen.recipe if isinstance(chosen, Grid) else chosen
    epochs = {f"{name}.epochs": min(1, getattr(recipe, name).epochs) for name in ("head", "fine_tune")}
    return FEW | epochs | {"head.batch_size": 4, "fine_tune.batch_size": 4}


def trained(dataset: Path, output: Path, name: str, **more: object) -> dict[str, Any]:
    """Train by the command line with a shipped recipe; returns the manifest."""
    settings = few(load_recipe_or_grid(name)) | more
    sets = [f"--set={key}={toml_literal(value)}" for key, value in settings.items()]
    done = CliRunner().invoke(train, [str(dataset), "--output", str(output), "--recipe", name, *sets])
    assert done.exit_code == 0, (done.output, done.exception)
    manifest: dict[str, Any] = json.loads((output / "run.json").read_text())
    return manifest


def stages(run: Path) -> list[str]:
    with (run / "history.csv").open(newline="") as lines:
        return [row["stage"] for row in csv.DictReader(lines)]


def test_the_seven_recipes_are_shipped_and_the_help_names_them() -> None:
    names = ("binary", "blocks-study", "default", "frozen-zoo", "last-four", "pseudo-labels", "two-phase")
    assert shipped_recipes() == names
    words = CliRunner().invoke(train, ["--help"]).output.split()
    assert all(name in {word.strip(",.") for word in words} for name in names)


def test_the_default_recipe_is_what_training_does_without_one() -> None:
    assert load_recipe("default") == Recipe()


def test_each_recipe_holds_what_it_reproduces() -> None:
    two_phase, four, binary = (load_recipe(name) for name in ("two-phase", "last-four", "binary"))
    assert (two_phase.input.size_px, two_phase.fine_tune.unfreeze, two_phase.network.dropout) == (224, 60, 0.3)
    assert (two_phase.head.learning_rate, two_phase.fine_tune.learning_rate) == (1e-3, 1e-6)
    assert (four.fine_tune.unfreeze, four.fine_tune.batch_size, four.fine_tune.epochs) == (4, 16, 10)
    moved = four.augmentation
    assert (moved.rotation_deg, moved.shift, moved.flip, moved.crop, moved.zoom) == (20.0, 0.2, True, 1.0, 0.0)
    assert (binary.network.hidden, binary.network.sigmoid, binary.fine_tune.epochs) == ((512,), True, 0)
    study, zoo = (load_recipe_or_grid(name) for name in ("blocks-study", "frozen-zoo"))
    assert isinstance(study, Grid)
    assert isinstance(zoo, Grid)
    assert (len(list(study.cells())), len(list(zoo.cells()))) == (27, 4)


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", ["head", "fine-tune"]),
        ("two-phase", ["start", "head", "fine-tune"]),
        ("last-four", ["start", "fine-tune"]),
        ("blocks-study", ["start", "fine-tune"]),
        ("frozen-zoo", ["start", "head"]),
    ],
)
def test_a_recipe_runs_end_to_end(tmp_path: Path, make_dataset: Make, name: str, expected: list[str]) -> None:
    make_dataset(tmp_path / "photos" / "seg_train" / "seg_train", count=5)
    make_dataset(tmp_path / "photos" / "seg_test" / "seg_test", count=2, seed=1)
    one = {"backbone": "MobileNetV2", "fine_tune.unfreeze": 2, "network.hidden": [8]}
    recipe = load_recipe_or_grid(name)
    cell: dict[str, Any] = {key: one[key] for key in recipe.axes} if isinstance(recipe, Grid) else {}
    if name == "default":
        cell = {"fine_tune.unfreeze": "all"}  # the small backbone has no blocks
    run = tmp_path / "run"
    manifest = trained(tmp_path / "photos", run, name, **cell)
    assert stages(run) == expected
    assert ("train" in manifest["metrics"]) == (name == "frozen-zoo")
    assert (run / "test_by_prediction").is_dir() == (name == "two-phase")
    assert (run / "report.html").is_file()


@pytest.mark.usefixtures("small_backbone")
def test_binary_runs_end_to_end_and_becomes_a_model_file(tmp_path: Path, make_dataset: Make) -> None:
    pytest.importorskip("tf2onnx", reason="conversion needs tf2onnx, of the extra 'train'")
    from contract.session import open_model
    from convert.cli import convert

    dataset, run = make_dataset(tmp_path / "photos", ("blue", "red"), count=5), tmp_path / "run"
    (dataset / "blue" / "broken.jpg").write_bytes(b"no photo")
    longer = {"head.epochs": 30, "head.learning_rate": 0.05}  # until it has an opinion, which conversion asks for
    manifest = trained(dataset, run, "binary", **{"network.hidden": [8]}, **longer)
    assert manifest["dataset"]["unreadable"] == 1
    assert (run / "picture_grid.png").is_file()
    assert load_run(run).load_keras().output_shape == (None, 1)
    done = CliRunner().invoke(convert, [str(run), "--output", str(tmp_path / "model.onnx")])
    assert done.exit_code == 0, (done.output, done.exception)
    assert open_model(tmp_path / "model.onnx").contract.labels == ("blue", "red")


def test_one_sigmoid_unit_is_refused_for_three_classes_before_any_work(tmp_path: Path, make_dataset: Make) -> None:
    dataset = make_dataset(tmp_path / "photos", count=2)
    done = CliRunner().invoke(train, [str(dataset), "--output", str(tmp_path / "run"), "--recipe", "binary"])
    assert isinstance(done.exception, RecipeError)
    assert "two classes, but these photos have 3 (blue, green, red)" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_options_without_effect_are_said_before_anything_else(tmp_path: Path) -> None:
    options = ("--epochs", "0", "--learning-rate", "0.0005", "--set", "head.on=features")
    done = CliRunner().invoke(train, [str(tmp_path), "--output", str(tmp_path / "run"), *options])
    assert isinstance(done.exception, PhototriageError)  # there are no photos
    told = "fine_tune.learning_rate has no effect, because fine_tune.epochs is 0, and is ignored."
    assert done.output.splitlines()[0] == told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--recipe", "no-such"),
            "no recipe of that name is shipped. Shipped recipes are: binary, blocks-study, default",
        ),
        (("--set", "fine_tune.epoch=3"), "Did you mean fine_tune.epochs?"),
        (("--set", "fine_tune.epochs"), "Pass KEY=VALUE"),
        (("--epochs", "3", "--set", "fine_tune.epochs=4"), "fine_tune.epochs is given twice: 3 and 4"),
        (("--set", "network.hidden=512"), "Pass a list of int"),
        (("--set", "seed=1", "--set", "seed=2"), "seed is given twice"),
        (("--backbone", "Xception", "--size-px", "64"), "Xception needs photos of 71 px or more"),
    ],
)
def test_what_is_wrong_with_settings_ends_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = CliRunner().invoke(train, [str(tmp_path), "--output", str(tmp_path / "run"), *arguments])
    assert isinstance(done.exception, PhototriageError)
    assert sentence in str(done.exception)
