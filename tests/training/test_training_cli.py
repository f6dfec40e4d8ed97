"""Every option of `train` and `evaluate` is honoured, and what is wrong ends in one sentence."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from common.errors import PhototriageError
from training.commands.evaluate import evaluate
from training.commands.train import train
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import load_recipe

Make = Callable[..., Path]
QUICK = ("--weights", "none", "--size-px", "32", "--epochs", "0", "--unfreeze", "all")


def run(command: Any, *arguments: object) -> Result:
    """Call a command as the front door does: errors of ours come out as they are."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, PhototriageError):
        raise result.exception
    return result


@pytest.mark.parametrize(("missing", "word"), [("keras", "needs keras"), ("tensorflow", "needs tensorflow")])
def test_what_a_training_needs_at_its_end_is_asked_for_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, word: str
) -> None:
    words = [train, tmp_path, "--output", tmp_path / "run"]
    monkeypatch.setattr("common.packages.has_runtime", lambda: False)
    monkeypatch.setattr("common.packages.installed_runtimes", lambda: ())  # a report needs ONNX Runtime
    with pytest.raises(PhototriageError, match="needs ONNX Runtime, which is not installed"):
        run(*words)
    find = importlib.util.find_spec
    monkeypatch.setattr("common.packages.find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(PhototriageError, match=word):
        run(*words)


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(
    ("option", "value", "key"),
    [
        ("--size-px", 48, "input.size_px"),
        ("--geometry", "letterbox", "input.geometry"),
        ("--epochs", 1, "fine_tune.epochs"),
        ("--batch-size", 3, "fine_tune.batch_size"),
        ("--learning-rate", 0.002, "fine_tune.learning_rate"),
        ("--unfreeze", 2, "fine_tune.unfreeze"),
        ("--unfreeze", "3 blocks", "fine_tune.unfreeze"),
        ("--batch-norm", "frozen", "fine_tune.batch_norm"),
        ("--seed", 11, "seed"),
    ],
)
def test_an_option_reaches_the_run(tmp_path: Path, make_dataset: Make, option: str, value: object, key: str) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=3)
    result = run(train, dataset, "--output", tmp_path / "run", *QUICK, option, value)
    assert result.exit_code == 0, result.output
    settings = {"weights": "none", "input.size_px": 32, "fine_tune.epochs": 0, "fine_tune.unfreeze": "all"}
    base = Recipe().with_options(settings)
    assert load_recipe(tmp_path / "run" / "recipe.toml") == base.with_options({key: value})
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    part: Any = manifest["recipe"]
    for name in key.split("."):
        part = part[name]
    assert part == value
    if key == "input.geometry":
        assert manifest["geometry"]["id"] == "exif-rgb-letterbox-bilinear-1"


@pytest.mark.usefixtures("small_backbone")
def test_options_win_over_the_recipe_and_test_photos_are_reported(tmp_path: Path, make_dataset: Make) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=3)
    test = make_dataset(tmp_path / "test", ("a", "b"), count=2, seed=3)
    recipe = tmp_path / "mine.toml"
    recipe.write_text("seed = 4\nvalidation = 0.5\nweights = 'none'\n[fine_tune]\nepochs = 7\n[head]\nepochs = 2\n")
    output = tmp_path / "run"
    result = run(train, dataset, "--output", output, "--recipe", recipe, "--test", test, *QUICK, "--seed", 5)
    assert result.exit_code == 0, result.output
    resolved = load_recipe(output / "recipe.toml")
    assert (resolved.seed, resolved.validation, resolved.head.epochs, resolved.fine_tune.epochs) == (5, 0.5, 2, 0)
    assert "Accuracy on the 4 test photos" in result.output
    assert f"phototriage convert {output}" in result.output


@pytest.mark.usefixtures("small_backbone")
def test_restart_begins_an_unfinished_run_anew(tmp_path: Path, make_dataset: Make) -> None:
    dataset, output = make_dataset(tmp_path / "photos", ("a", "b"), count=3), tmp_path / "run"
    output.mkdir()
    (output / "checkpoint.npz").write_bytes(b"damaged")
    with pytest.raises(PhototriageError, match="--restart"):
        run(train, dataset, "--output", output, *QUICK)
    assert run(train, dataset, "--output", output, *QUICK, "--restart").exit_code == 0
    assert (output / "run.json").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("photos",),
        ("--output", "run"),
        ("photos", "--output", "run", "--geometry", "crop"),
        ("photos", "--output", "run", "--unfreeze", "some"),
        ("photos", "--output", "run", "--epochs", "many"),
        ("photos", "--output", "run", "--batch-norm", "off"),
    ],
)
def test_wrong_usage_exits_two(arguments: tuple[str, ...]) -> None:
    assert run(train, *arguments).exit_code == 2


def test_wrong_values_end_in_a_sentence_before_anything_is_written(tmp_path: Path, make_dataset: Make) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=3)
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[fine_tune]\nepoch = 7\n")
    for arguments in (("--epochs", -1), ("--size-px", 5), ("--unfreeze", -1), ("--recipe", recipe)):
        with pytest.raises(PhototriageError):
            run(train, dataset, "--output", tmp_path / "run", *arguments)
    assert not (tmp_path / "run").exists()


def test_a_run_is_evaluated_as_tables_or_json(trained: tuple[Path, Path], tmp_path: Path) -> None:
    dataset, folder = trained
    shown = run(evaluate, folder, dataset.parent / "test", "--output", tmp_path / "report")
    assert shown.exit_code == 0, shown.output
    assert "Accuracy on the 12 photos" in shown.output
    told = CliRunner().invoke(evaluate, [str(folder), str(dataset.parent / "test"), "--json"])
    assert (
        json.loads(told.stdout)["metrics"] == json.loads((tmp_path / "report" / "metrics.json").read_text())["metrics"]
    )


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_shows_an_example_and_loads_nothing_heavy(command: str, root: Path) -> None:
    code = (
        "import sys\n"
        f"from training.commands.{command} import {command}\n"
        f"{command}(['--help'], standalone_mode=False)\n"
        "print([name for name in ('tensorflow', 'keras', 'onnxruntime', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert f"phototriage {command}" in done.stdout
    assert done.stdout.rstrip().endswith("[]")
