"""A grid of real trainings, killed for good in the middle of one, goes on after that one's last epoch."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.grid.test_grid_work import PARENT
from training.grid.work import run_grid
from training.progress import Reporter
from training.recipe.recipe_file import Grid, load_recipe_or_grid
from training.run import load_run

RECIPE = """
weights = "none"
input.size_px = 32
head.epochs = 1
head.least_steps = 5
fine_tune.epochs = 20
fine_tune.unfreeze = "all"
fine_tune.batch_norm = "train"
fine_tune.batch_size = 8
[grid]
network.dropout = [0.1]
"""
# The front door itself, with networks of three layers, because the graph of a real one takes 20 s to make.
TRAIN = """
import sys; sys.path.insert(0, {root!r})
from tests.training.conftest import three_layers
from training.network import network
network.make_backbone = three_layers
from phototriage import main
main()
"""


def test_it_takes_its_training_along_and_loses_no_epoch_that_was_done(
    dataset: Path, tmp_path: Path, root: Path, reporter: Reporter, story: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    program = (sys.executable, "-c", TRAIN.format(root=str(root)))
    (tmp_path / "grid.toml").write_text(RECIPE)
    given = [str(dataset), str(tmp_path / "grid"), str(tmp_path / "grid.toml"), *program]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *given], stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        assert parent.stdout is not None
        try:
            assert any(line.startswith("Epoch 2 of") for line in parent.stdout)
        finally:
            parent.kill()
        parent.stdout.read()  # ends only when the training has let go of it
    assert parent.returncode == -signal.SIGKILL
    assert not (tmp_path / "grid" / "dropout-0.1" / "run.json").exists()

    grid = load_recipe_or_grid(tmp_path / "grid.toml")
    assert isinstance(grid, Grid)
    results = run_grid(dataset, tmp_path / "grid", grid, None, reporter, program=program)
    said = capfd.readouterr().out  # of the cell
    assert "Resuming after epoch" in said
    assert not [word for word in ("Found", "photos to train", "Next:") if word in said]
    assert story.getvalue().count("Found") == story.getvalue().count("Next:") == 1  # by the grid
    run = load_run(tmp_path / "grid" / "dropout-0.1")
    assert run.manifest["resumed_after"][0] >= 1
    assert len((run.path / "history.csv").read_text().splitlines()) == 22
    assert (run.path / "report.html").is_file()
    assert results.best is not None
    assert results.best.figures["validation"].accuracy == run.metrics["validation"]["accuracy"]
    assert json.loads((tmp_path / "grid" / "grid.json").read_text())["best"] == "dropout-0.1"
