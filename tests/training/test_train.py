"""Training end to end, with a real network on few photos: what it keeps, leaves out, honours and refuses."""

import csv
import io
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import PhototriageError
from training.dataset.layout import Photo
from training.errors import DatasetError, TrainingError
from training.fit.regression import GRID, fit_head
from training.measure.predictions import read_predictions
from training.pipeline import train_run
from training.progress import Reporter
from training.recipe.learning import FineTune, Head
from training.recipe.recipe import Input, Network, Recipe
from training.run import Run, load_run

Make = Callable[..., Path]
HEAD_ALONE = Recipe(
    weights="none", input=Input(size_px=32), head=Head(epochs=4, least_steps=30), fine_tune=FineTune(epochs=0)
)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.usefixtures("small_backbone")
def test_colours_are_learnt_by_head_and_fine_tuning(tmp_path: Path, make_dataset: Make, reporter: Reporter) -> None:
    dataset = make_dataset(tmp_path / "photos")
    recipe = replace(HEAD_ALONE, network=Network(hidden=(8,)), head=Head(epochs=1, least_steps=1))
    guessed = train_run(dataset, tmp_path / "guessed", recipe, None, reporter)
    head = train_run(dataset, tmp_path / "head", replace(recipe, head=Head(learning_rate=0.05)), None, reporter)
    tuning = FineTune(unfreeze="all", batch_norm="train", epochs=15, batch_size=8, learning_rate=0.02, averaging=0.5)
    tuned = train_run(dataset, tmp_path / "tuned", replace(recipe, fine_tune=tuning), None, reporter)
    assert min(head.validation.accuracy, tuned.validation.accuracy) > 0.9
    assert max(head.validation.log_loss, tuned.validation.log_loss) < guessed.validation.log_loss


def test_the_history_tells_each_epoch_and_the_best_is_kept(trained: tuple[Path, Path]) -> None:
    _, run = trained
    history = rows(run / "history.csv")
    assert [row["epoch"] for row in history] == ["0", "1", "2"]
    best = max(float(row["accuracy"]) for row in history)
    assert load_run(run).metrics["validation"]["accuracy"] == pytest.approx(best)
    assert any(row["best"] == "True" and float(row["accuracy"]) == best for row in history)
    assert all(float(row["loss"]) > 0 for row in history[1:])


def test_predictions_hold_each_photo_to_check_with_and_none_of_training(trained: tuple[Path, Path]) -> None:
    dataset, run = trained
    predictions = rows(run / "predictions.csv")
    splits = [row["split"] for row in predictions]
    assert (splits.count("val"), splits.count("test")) == (6, 12)
    for row in predictions:
        assert (dataset / row["path"]).is_file()
        assert sum(float(row[label]) for label in ("blue", "green", "red")) == pytest.approx(1, abs=1e-5)
        assert row["sha256"] == sha256((dataset / row["path"]).read_bytes()).hexdigest()


def test_near_copies_do_not_choose_the_penalty_of_a_linear_head() -> None:
    import keras

    from training.on_photos import _fit_linear

    rng = np.random.default_rng(0)
    half = rng.normal(size=(30, 64)).astype(np.float32)
    features, groups = np.vstack([half, half]), np.tile(np.arange(30), 2)
    labels = np.tile(rng.integers(0, 2, 30), 2)  # nothing but a copy tells the label
    images = keras.Input((64,))
    model = keras.Model(images, keras.layers.Dense(2, name="logits")(images))
    _fit_linear(model, features, labels, groups, (np.arange(60), np.arange(60)))
    length = np.float32(np.linalg.norm(features, axis=1).mean())
    strongest = fit_head(features / length, labels, 2, GRID[0]).kernel / length
    assert np.allclose(model.get_layer("logits").get_weights()[0], strongest)


def validation_photos(run: Run) -> tuple[Photo, ...]:
    return read_predictions(run.path / "predictions.csv", run.dataset, run.labels).of("val").photos


def test_the_saved_network_is_the_one_that_was_measured(trained: tuple[Path, Path]) -> None:
    from training.dataset.cache import decode_all
    from training.measure.metrics import softmax

    run = load_run(trained[1])
    pixels = decode_all([photo.path for photo in validation_photos(run)], run.geometry)
    photos = np.stack([pixels.pixels[row] for row in pixels.rows])
    again = softmax(run.load_keras().predict_on_batch(photos), run.temperature)
    written = [row for row in rows(run.path / "predictions.csv") if row["split"] == "val"]
    assert np.allclose(again, [[float(row[label]) for label in run.labels] for row in written], atol=1e-4)


@pytest.mark.usefixtures("small_backbone")
def test_the_resolved_recipe_trains_the_same_run_again(tmp_path: Path, make_dataset: Make, reporter: Reporter) -> None:
    from training.recipe.recipe_file import load_recipe

    dataset = make_dataset(tmp_path / "photos")
    recipe = replace(HEAD_ALONE, seed=5, fine_tune=FineTune(unfreeze="all", batch_norm="train", epochs=2, batch_size=8))
    train_run(dataset, tmp_path / "first", recipe, None, reporter)
    train_run(dataset, tmp_path / "again", load_recipe(tmp_path / "first" / "recipe.toml"), None, reporter)
    one, other = load_run(tmp_path / "first"), load_run(tmp_path / "again")
    assert one.data_hash == other.data_hash
    assert validation_photos(one) == validation_photos(other)
    first, again = (rows(run.path / "history.csv") for run in (one, other))
    assert [float(row["log_loss"]) for row in first] == pytest.approx([float(row["log_loss"]) for row in again])


@pytest.mark.usefixtures("small_backbone")
def test_bad_photos_leaks_and_test_photos_stay_out_of_training(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset = tmp_path / "photos"
    make_dataset(dataset / "train", ("a", "b"), count=5)
    make_dataset(dataset / "test", ("a", "b"), count=2, seed=1)
    (dataset / "train" / "a" / "bad.jpg").write_text("no photo")
    shutil.copy(dataset / "test" / "b" / "000.jpg", dataset / "train" / "b" / "leak.jpg")
    train_run(dataset, tmp_path / "run", HEAD_ALONE, None, reporter)
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["dataset"]["photos"] == {"train": 8, "val": 2, "test": 4}
    assert manifest["dataset"]["unreadable"] == 1
    assert manifest["weights"] == {"name": "none"}
    assert "bad.jpg: not-a-photo" in story.getvalue()
    assert "1 training photos are left out" in story.getvalue()


@pytest.mark.usefixtures("small_backbone")
def test_a_validation_folder_is_used_but_for_photos_that_test_holds_too(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    make_dataset(tmp_path / "photos" / "train", ("a", "b"), count=4)
    make_dataset(tmp_path / "photos" / "val", ("a", "b"), count=3, seed=1)
    test = make_dataset(tmp_path / "photos" / "test", ("a", "b"), count=2, seed=2)
    shutil.copy(test / "a" / "000.jpg", tmp_path / "photos" / "val" / "a" / "twin.jpg")
    train_run(tmp_path / "photos", tmp_path / "run", HEAD_ALONE, None, reporter)
    photos = validation_photos(load_run(tmp_path / "run"))
    assert {photo.path.parents[1].name for photo in photos} == {"val"}
    assert len(photos) == 6
    assert "1 validation photos are left out, because test photos show the same." in story.getvalue()


@pytest.mark.usefixtures("small_backbone")
def test_ctrl_c_keeps_the_best_so_far_and_finishes_the_run(
    tmp_path: Path, make_dataset: Make, story: io.StringIO
) -> None:
    from rich.console import Console

    class Impatient(Reporter):
        def say(self, line: str) -> None:
            super().say(line)
            if line.startswith("Epoch 1"):
                os.kill(os.getpid(), signal.SIGINT)

    recipe = replace(HEAD_ALONE, fine_tune=FineTune(unfreeze="all", batch_norm="train", epochs=1000, batch_size=8))
    train_run(make_dataset(tmp_path / "photos"), tmp_path / "run", recipe, None, Impatient(Console(file=story)))
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["interrupted"] is True
    assert len(rows(tmp_path / "run" / "history.csv")) <= 3
    load_run(tmp_path / "run").load_keras()


def refused(dataset: Path, output: Path, reporter: Reporter, recipe: Recipe = HEAD_ALONE) -> str:
    with pytest.raises(PhototriageError) as error:
        train_run(dataset, output, recipe, None, reporter)
    return str(error.value)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset = make_dataset(tmp_path / "photos", count=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").touch()
    assert "is not empty" in refused(dataset, tmp_path / "full", reporter)
    assert "is a file" in refused(dataset, tmp_path / "file", reporter)
    assert "inside the dataset" in refused(dataset, dataset / "run", reporter)
    assert "is not empty" in refused(dataset, dataset.parent, reporter)  # the dataset inside the output
    assert "cannot be created" in refused(dataset, tmp_path / "file" / "run", reporter)
    assert story.getvalue() == ""


@pytest.mark.usefixtures("small_backbone")
def test_photos_that_cannot_be_trained_on_leave_no_run_behind(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=3)
    make_dataset(dataset, ("lonely",), count=1)
    assert "'lonely' has 1 readable photo" in refused(dataset, tmp_path / "run", reporter)
    for path in dataset.rglob("*.jpg"):
        path.write_bytes(b"x")
    assert "None of the photos can be read" in refused(dataset, tmp_path / "run", reporter)
    make_dataset(tmp_path / "split" / "train", ("blue", "red", "_other"), count=3)
    make_dataset(tmp_path / "split" / "val", ("_other",), count=3, seed=1)
    assert "All photos to validate are of '_other'" in refused(tmp_path / "split", tmp_path / "run", reporter)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("small_backbone")
def test_a_loss_that_explodes_ends_in_a_sentence_and_keeps_the_head(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    wild = FineTune(
        unfreeze="all", epochs=60, batch_size=8, learning_rate=10.0, weight_decay=10.0, warmup=0.0, batch_norm="frozen"
    )
    recipe = replace(HEAD_ALONE, fine_tune=wild)
    dataset = make_dataset(tmp_path / "photos", ("a", "b"))
    with pytest.raises(TrainingError, match="lower --learning-rate"):
        train_run(dataset, tmp_path / "run", recipe, None, reporter)
    assert (tmp_path / "run" / "model.keras").is_file()
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.usefixtures("small_backbone")
def test_a_step_that_does_not_fit_into_memory_ends_in_a_sentence_and_keeps_the_epochs_done(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    from tensorflow import errors

    from training.fit.loop import StageLoop

    recipe = replace(HEAD_ALONE, fine_tune=FineTune(unfreeze="all", batch_norm="train", epochs=2, batch_size=8))
    dataset, whole = make_dataset(tmp_path / "photos", ("a", "b")), StageLoop.epoch

    def full(loop: StageLoop, history: Any) -> Any:
        if len(history) == 2:
            raise errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return whole(loop, history)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageLoop, "epoch", full)
        with pytest.raises(
            TrainingError, match=r"more memory than is free.*smaller --batch-size.*resumes after the last"
        ):
            train_run(dataset, tmp_path / "run", recipe, None, reporter)
    train_run(dataset, tmp_path / "run", recipe, None, reporter)
    assert "Resuming after epoch 1 of 2." in story.getvalue()


def test_a_test_set_of_unknown_classes_is_refused(tmp_path: Path, make_dataset: Make, reporter: Reporter) -> None:
    dataset = make_dataset(tmp_path / "photos", ("a", "b"), count=2)
    test: Any = make_dataset(tmp_path / "test", ("a", "c"), count=2)
    with pytest.raises(DatasetError, match="c"):
        train_run(dataset, tmp_path / "run", HEAD_ALONE, test, reporter)
