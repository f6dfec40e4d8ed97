"""A training that is killed goes on after its last whole epoch and ends as one that was left alone."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from training.errors import TrainingError
from training.pipeline import train_run
from training.progress import Reporter
from training.recipe.augmentation import Augmentation
from training.recipe.learning import FineTune, Head
from training.recipe.recipe import Input, Recipe
from training.resume.checkpoint import read_header
from training.resume.unfinished import output_lock
from training.run import CHECKPOINT, load_run

Make = Callable[..., Path]
RECIPE = Recipe(
    weights="none",
    input=Input(size_px=32),
    head=Head(epochs=1, least_steps=10),
    fine_tune=FineTune(unfreeze="all", batch_norm="train", epochs=5, batch_size=8, learning_rate=0.2, averaging=0.9),
    augmentation=Augmentation(crop=0.7, shift=0.05, rotation_deg=10, flip=True),
)
KILLED = """
import os, runpy, signal, sys
from pathlib import Path
from rich.console import Console
from training import pipeline, progress
from training.network import network
from training.recipe import recipe_file

class Doomed(progress.Reporter):
    worse = False
    def say(self, line):
        super().say(line)
        if self.worse:
            os.kill(os.getpid(), signal.SIGKILL)
        self.worse = line.startswith("Epoch ") and "log loss" in line and "best so far" not in line

conftest, dataset, output, settings = map(Path, sys.argv[1:])
network.make_backbone = runpy.run_path(str(conftest))["three_layers"]
pipeline.train_run(dataset, output, recipe_file.load_recipe(settings), None, Doomed(Console()))
"""


class StoppedError(Exception):
    """Stands for the end of the process, in the middle of a training."""


class Stopping(Reporter):
    """Ends the training at the first line that begins so."""

    def __init__(self, beginning: str, act: Callable[[], object] | None = None) -> None:
        super().__init__(Console(file=io.StringIO()))
        self._beginning, self._act = beginning, act

    def say(self, line: str) -> None:
        if not line.startswith(self._beginning):
            return
        if self._act is None:
            raise StoppedError
        self._act()


def stop_at(beginning: str, dataset: Path, output: Path, recipe: Recipe = RECIPE) -> Path:
    """Train up to a line; returns the run folder."""
    with pytest.raises(StoppedError):
        train_run(dataset, output, recipe, None, Stopping(beginning))
    return output


def history(run: Path) -> list[list[str]]:
    """The lines of history.csv without what a clock has to do with."""
    with (run / "history.csv").open(newline="") as lines:
        return [
            [row[key] for key in ("epoch", "loss", "accuracy", "log_loss", "best")] for row in csv.DictReader(lines)
        ]


pytestmark = pytest.mark.usefixtures("small_backbone")


def test_a_training_killed_for_good_goes_on_and_ends_like_one_left_alone(
    tmp_path: Path, root: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset, run, alone = make_dataset(tmp_path / "photos"), tmp_path / "run", tmp_path / "alone"
    (tmp_path / "mine.toml").write_text(RECIPE.to_toml())
    arguments = [Path(__file__).with_name("conftest.py"), dataset, run, tmp_path / "mine.toml"]
    child = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)], cwd=root, capture_output=True, text=True
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    done = len(history(run)) - 1
    assert history(run)[-1][-1] == "False"  # so that the average under way is not that of the best epoch
    (run / ".checkpoint.part.npz").write_bytes(b"half a checkpoint")

    train_run(dataset, run, RECIPE, None, reporter)
    assert f"Resuming after epoch {done} of 5." in story.getvalue().splitlines()
    train_run(dataset, alone, RECIPE, None, reporter)

    assert history(run) == history(alone)
    assert (run / "predictions.csv").read_text() == (alone / "predictions.csv").read_text()
    for one, other in zip(*(load_run(path).load_keras().get_weights() for path in (run, alone)), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-7)
    assert {path.name for path in run.iterdir()} == {path.name for path in alone.iterdir()}
    assert CHECKPOINT not in {path.name for path in run.iterdir()}
    assert json.loads((run / "run.json").read_text())["resumed_after"] == [done]


def test_what_is_over_is_not_trained_again(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    patient = replace(RECIPE, fine_tune=replace(RECIPE.fine_tune, epochs=200, patience=1, learning_rate=0.05))
    dataset = make_dataset(tmp_path / "photos")
    run = stop_at("Calibrating", dataset, tmp_path / "run", patient)
    before = history(run)
    assert len(before) < 201
    train_run(dataset, run, patient, None, reporter)
    assert "stopped early" in story.getvalue()
    assert history(run) == before
    assert load_run(run).load_keras() is not None


def test_a_kill_right_after_the_head_costs_no_second_head(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    run = stop_at("Epoch 1 of", dataset, tmp_path / "run")
    train_run(dataset, run, RECIPE, None, reporter)
    assert "Resuming after the head stage." in story.getvalue()
    assert "Head trained" not in story.getvalue()


def test_another_recipe_or_other_photos_are_refused_with_what_differs(
    tmp_path: Path, make_dataset: Make, make_photos: Callable[..., list[Path]], reporter: Reporter, story: io.StringIO
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    run = stop_at("Epoch 2 of", dataset, tmp_path / "run")
    before = (run / CHECKPOINT).read_bytes()

    with pytest.raises(TrainingError, match=r"seed: 0 there, 5 now.*recipe\.toml.*--restart"):
        train_run(dataset, run, replace(RECIPE, seed=5), None, reporter)
    assert story.getvalue() == ""  # before any work
    added = make_photos(tmp_path / "more", "blue", 6, seed=77)
    for path in added:
        shutil.copy(path, dataset / "blue" / f"new-{path.name}")
    with pytest.raises(TrainingError, match=r"training photos: 24 there, \d+ now.*--restart"):
        train_run(dataset, run, RECIPE, None, reporter)
    assert (run / CHECKPOINT).read_bytes() == before

    train_run(dataset, run, RECIPE, None, reporter, restart=True)
    assert json.loads((run / "run.json").read_text())["resumed_after"] == []


def test_a_photo_changed_in_place_is_noticed(
    tmp_path: Path, make_dataset: Make, make_photos: Callable[..., list[Path]], reporter: Reporter
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    run = stop_at("Epoch 1 of", dataset, tmp_path / "run")
    (other,) = make_photos(tmp_path / "more", "blue", 1, seed=77)
    shutil.copy(other, dataset / "blue" / "000.jpg")
    with pytest.raises(TrainingError, match="the same number, but other photos"):
        train_run(dataset, run, RECIPE, None, reporter)


def test_finished_runs_and_folders_of_others_are_kept_even_from_restart(
    tmp_path: Path, make_dataset: Make, trained: tuple[Path, Path], reporter: Reporter
) -> None:
    dataset = make_dataset(tmp_path / "photos", count=3)
    finished = Path(shutil.copytree(trained[1], tmp_path / "finished"))
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "recipe.toml").write_text("mine")
    with pytest.raises(TrainingError, match="finished run, which is never overwritten"):
        train_run(dataset, finished, RECIPE, None, reporter, restart=True)
    with pytest.raises(TrainingError, match="not empty"):
        train_run(dataset, tmp_path / "others", RECIPE, None, reporter, restart=True)
    assert (tmp_path / "others" / "recipe.toml").read_text() == "mine"
    load_run(finished)


def test_a_full_disk_ends_in_a_sentence_and_the_last_checkpoint_stays(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset, run = make_dataset(tmp_path / "photos"), tmp_path / "run"
    full = Stopping("Epoch 2 of", lambda: (run / ".checkpoint.part.npz").symlink_to("/dev/full"))
    with pytest.raises(TrainingError, match=r"The disk is full .* The same command resumes from there"):
        train_run(dataset, run, RECIPE, None, full)
    header = read_header(run)
    assert header is not None
    assert header.epoch == 1
    train_run(dataset, run, RECIPE, None, reporter)
    assert "Resuming after epoch 1 of 5." in story.getvalue()


def test_a_damaged_checkpoint_is_refused_and_restart_begins_anew(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    run = stop_at("Epoch 1 of", dataset, tmp_path / "run")
    whole = (run / CHECKPOINT).read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (b"", b"no archive", whole[:-100], whole[: len(whole) // 3], flipped):
        (run / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"cannot be used: .* --restart"):
            train_run(dataset, run, RECIPE, None, reporter)
    train_run(dataset, run, RECIPE, None, reporter, restart=True)
    load_run(run)


def test_two_trainings_do_not_write_into_one_folder(tmp_path: Path, make_dataset: Make, reporter: Reporter) -> None:
    dataset = make_dataset(tmp_path / "photos", count=3)
    with output_lock(tmp_path / "run"), pytest.raises(TrainingError, match="Another training writes into"):
        train_run(dataset, tmp_path / "run", RECIPE, None, reporter)
    assert not os.path.lexists(tmp_path / "run")
