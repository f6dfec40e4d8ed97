"""The training step is Keras's own: no module of it knows TensorFlow, and it runs where JAX is the backend."""

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.packages import MissingPackageError, require_training
from training.pipeline import other_way
from training.recipe.recipe import Recipe

ONLY = {"device.py", "distil.py", "trunk.py"}
"""The device; the broad network, whose bytes are the same twice only in one thread of TensorFlow; and
its trunk, which tf2onnx exports."""
TRAIN = """
import runpy, sys
from pathlib import Path
from rich.console import Console
from training import pipeline, progress
from training.network import network
from training.recipe.recipe import Recipe

conftest, dataset, output = map(Path, sys.argv[1:])
network.make_backbone = runpy.run_path(str(conftest))["three_layers"]
few = {"weights": "none", "input.size_px": 64, "head.least_steps": 5, "fine_tune.epochs": 2, "fine_tune.batch_size": 8,
       "fine_tune.unfreeze": "all"}
pipeline.train_run(dataset, output, Recipe().with_options(few), None, progress.Reporter(Console()))
"""


def imported(file: Path) -> set[str]:
    """The packages that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_of_training_but_three_knows_a_backend(root: Path) -> None:
    modules = list((root / "training").rglob("*.py"))
    knowing = {path.name for path in modules if imported(path) & {"tensorflow", "jax", "torch"}}
    assert len(modules) > 50
    assert knowing == ONLY


def test_training_runs_end_to_end_on_jax(tmp_path: Path, root: Path, make_dataset: Callable[..., Path]) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install jax, to see training run on another backend of Keras")
    dataset = make_dataset(tmp_path / "photos")
    arguments = [Path(__file__).with_name("conftest.py"), dataset, tmp_path / "run"]
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *map(str, arguments)],
        cwd=root,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "(jax sees no GPU)" in done.stdout or "by jax" in done.stdout
    assert (tmp_path / "run" / "run.json").is_file()


def test_the_default_says_that_without_tensorflow_it_goes_the_classic_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    (sentence,) = other_way(Recipe())
    assert "but Keras runs on jax. So photos go through the whole network instead" in sentence
    assert not list(other_way(Recipe().with_options({"fine_tune.unfreeze": "all"})))  # goes this way in any case
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert not list(other_way(Recipe()))


@pytest.mark.parametrize("by_file", [False, True])
def test_a_backend_of_keras_that_is_not_installed_is_named_before_anything_is_decoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by_file: bool
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if by_file:
        (tmp_path / "keras.json").write_text('{"backend": "no_such_backend"}')
    else:
        monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    with pytest.raises(
        MissingPackageError, match=r"needs no_such_backend, because KERAS_BACKEND or keras\.json names it"
    ):
        require_training("`train`")
    (tmp_path / "keras.json").write_text("no json")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    require_training("`train`")  # by TensorFlow, as Keras too does not read such a file
