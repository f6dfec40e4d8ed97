"""Stages, rates and plateaus are functions of recipe and history; both stages learn, and both go on after a kill."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from training.fit.epoch import HEAD, START, TUNE, Epoch
from training.fit.schedule import learning_rate, plateau_share
from training.fit.stage import Stage, head_stage, kept_in_words, remaining_stages, stages_of
from training.pipeline import train_run
from training.progress import Reporter
from training.recipe.augmentation import Augmentation
from training.recipe.learning import FineTune, Head
from training.recipe.recipe import Input, Monitor, Network, Recipe
from training.run import load_run

Make = Callable[..., Path]
TWO_PHASE = Recipe(
    weights="none",
    input=Input(size_px=32),
    network=Network(dropout=0.3),
    head=Head("photos", 3, batch_size=8, optimizer="adam", weight_decay=0.0, schedule="constant", warmup=0.0),
    fine_tune=FineTune(2, 4, 1.0, 8, "rmsprop", 0.01, 0.0, "plateau", plateau_patience=1, averaging=0.9),
    augmentation=Augmentation(crop=0.7, flip=True),
)


def history(*figures: tuple[str, float, float], monitor: Monitor = "accuracy") -> list[Epoch]:
    """Epochs of (stage, accuracy, log loss), numbered from 0, of which each better one is marked."""
    epochs: list[Epoch] = []
    for number, (stage, accuracy, loss) in enumerate(figures):
        epoch = replace(Epoch.zero(stage), epoch=number, accuracy=accuracy, log_loss=loss)
        best = next((other for other in reversed(epochs) if other.best), None)
        epochs.append(replace(epoch, best=best is None or epoch.better_than(best, monitor)))
    return epochs


def test_a_plateau_lowers_the_rate_as_keras_does() -> None:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0))
    rng = np.random.default_rng(0)
    for patience, factor, epochs in ((1, 0.1, 6), (2, 0.5, 20), (3, 0.5, 20)):
        losses = rng.choice([0.5, 0.50005, 0.6, 0.7, 0.8], epochs).tolist()
        callback = keras.callbacks.ReduceLROnPlateau(patience=patience, factor=factor)
        callback.set_model(model)
        callback.on_train_begin()
        model.optimizer.learning_rate = 1.0
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
        left = float(model.optimizer.learning_rate)
        assert left < 1.0
        assert plateau_share(losses, patience, factor) == pytest.approx(left)


def test_rates_rise_and_then_fall_along_a_cosine_or_stay() -> None:
    cosine, level = ([learning_rate(step, 10, 2.0, 0.2, shape) for step in range(10)] for shape in (True, False))
    assert cosine[:3] == level[:3] == [1.0, 2.0, 2.0]
    assert cosine[2:] == sorted(cosine[2:], reverse=True)
    assert 0 < cosine[-1] < 0.2
    assert level[2:] == [2.0] * 8


def test_a_stage_s_rates_go_on_where_the_last_epoch_ended_and_know_its_own_plateaus_alone() -> None:
    before = history((START, 0.1, 2.0), (HEAD, 0.2, 1.5), (HEAD, 0.2, 1.5), (HEAD, 0.2, 1.5))
    cosine = Stage(TUNE, FineTune(epochs=2, learning_rate=1.0, warmup=0.0))
    first, second = (list(cosine.rates(epochs, 3)) for epochs in (before, [*before, replace(before[-1], stage=TUNE)]))
    assert first + second == [learning_rate(step, 6, 1.0, 0.0) for step in range(6)]
    plateau = Stage(TUNE, FineTune(epochs=9, schedule="plateau", learning_rate=1.0, warmup=0.0, plateau_patience=1))
    assert list(plateau.rates(before, 2)) == [1.0, 1.0]
    tuned = [*before, *history(*[(TUNE, 0.2, 1.4)] * 3)]
    assert list(plateau.rates([replace(e, epoch=n) for n, e in enumerate(tuned)], 1)) == pytest.approx([0.04])


def test_a_stage_ends_with_its_epochs_or_its_patience_counted_within_it() -> None:
    recipe = Recipe().with_options({"head.on": "photos", "head.epochs": 3, "fine_tune.patience": 2})
    head, tune = stages_of(recipe)
    done = history((START, 0.1, 2.0), (HEAD, 0.5, 1.0), (HEAD, 0.4, 1.1))
    assert head.end_reason(done) is None
    done = history((START, 0.1, 2.0), (HEAD, 0.5, 1.0), (HEAD, 0.4, 1.1), (HEAD, 0.4, 1.1))
    assert head.end_reason(done) == ""
    assert tune.last(done) == 7
    assert tune.end_reason(done) is None  # what the head waited does not count here
    longer = [*done, *(replace(done[-1], epoch=number, stage=TUNE) for number in (4, 5))]
    assert tune.end_reason(longer[:-1]) is None
    assert "No improvement for 2 epochs" in str(tune.end_reason(longer))
    assert [remaining_stages(recipe, epochs)[0].name for epochs in (done[:1], done, longer)] == [HEAD, HEAD, TUNE]


def test_the_monitored_figure_chooses_the_epoch_and_ends_a_stage() -> None:
    figures = [(START, 0.1, 2.0), (TUNE, 0.5, 0.9), (TUNE, 0.6, 1.0), (TUNE, 0.7, 1.1), (TUNE, 0.7, 1.0)]
    by_accuracy, by_loss = history(*figures), history(*figures, monitor="loss")
    assert [epoch.best for epoch in by_accuracy] == [True, True, True, True, True]
    assert [epoch.best for epoch in by_loss] == [True, True, False, False, False]
    patient = Stage(TUNE, FineTune(epochs=9, patience=3))
    assert patient.end_reason(by_loss[:-1]) is None
    assert "No improvement for 3 epochs" in str(patient.end_reason(by_loss))
    assert patient.end_reason(by_accuracy) is None
    equal = history((START, 0.1, 2.0), (TUNE, 0.5, 1.0), (TUNE, 0.6, 1.0), monitor="loss")
    assert [epoch.best for epoch in equal] == [True, True, True]


def test_which_stage_s_epoch_is_kept_is_said_in_words() -> None:
    first = [(START, 0.1, 2.0), (HEAD, 0.5, 1.0)]
    assert kept_in_words(history(*first)) == ""
    won = kept_in_words(history(*first, (TUNE, 0.6, 0.9), (TUNE, 0.5, 0.9)))
    assert won == "Epoch 2 of fine-tuning is kept: it is better than the best epoch of the head."
    lost = kept_in_words(history(*first, (TUNE, 0.4, 1.2)))
    assert lost == "Epoch 1 of the head is kept, because fine-tuning brought no better epoch."
    untrained = kept_in_words(history((START, 0.9, 0.1), (HEAD, 0.5, 1.0), (TUNE, 0.4, 1.2)))
    assert untrained.startswith("The weights from before training are kept")


def test_the_head_s_stage_leaves_the_backbone_frozen_and_takes_its_own_settings() -> None:
    stage = head_stage(Head("photos", 7, batch_size=5, optimizer="sgd", learning_rate=0.3, patience=4))
    assert (stage.name, stage.settings.unfreeze, stage.settings.averaging) == (HEAD, 0, 0.0)
    assert (stage.settings.epochs, stage.settings.batch_size, stage.settings.optimizer) == (7, 5, "sgd")
    assert (stage.settings.learning_rate, stage.settings.patience) == (0.3, 4)


def test_stages_of_no_epochs_are_left_out() -> None:
    assert [stage.name for stage in stages_of(Recipe())] == [TUNE]
    assert list(stages_of(Recipe().with_options({"fine_tune.epochs": 0}))) == []
    both = Recipe().with_options({"head.on": "photos", "fine_tune.epochs": 0})
    assert [stage.name for stage in stages_of(both)] == [HEAD]


class StoppedError(Exception):
    """Stands for the end of the process."""


class Stopping(Reporter):
    """Ends the training at the first line that begins so."""

    def __init__(self, beginning: str) -> None:
        super().__init__(Console(file=io.StringIO()))
        self._beginning = beginning

    def say(self, line: str) -> None:
        if line.startswith(self._beginning):
            raise StoppedError


def rows(run: Path) -> list[dict[str, str]]:
    """The lines of history.csv without what a clock has to do with."""
    with (run / "history.csv").open(newline="") as lines:
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "photos_per_s")}
            for row in csv.DictReader(lines)
        ]


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(
    ("killed", "told", "monitor"),
    [
        ("Head, epoch 1 of", "Resuming after the start.", "accuracy"),
        ("Head, epoch 3 of", "Resuming after epoch 2 of 3.", "loss"),
        ("Epoch 4 of", "Resuming after epoch 3 of 3.", "accuracy"),
        ("Epoch 6 of", "Resuming after epoch 5 of 7.", "loss"),
    ],
)
def test_a_kill_in_either_stage_costs_the_epoch_under_way_and_no_more(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO, killed: str, told: str, monitor: str
) -> None:
    dataset, run, alone = make_dataset(tmp_path / "photos"), tmp_path / "run", tmp_path / "alone"
    recipe = TWO_PHASE.with_options({"monitor": monitor})
    with pytest.raises(StoppedError):
        train_run(dataset, run, recipe, None, Stopping(killed))
    train_run(dataset, run, recipe, None, reporter)
    assert told in story.getvalue()
    train_run(dataset, alone, recipe, None, reporter)
    assert [row["stage"] for row in rows(alone)] == [START, *[HEAD] * 3, *[TUNE] * 4]
    assert rows(run) == rows(alone)
    for one, other in zip(*(load_run(path).load_keras().get_weights() for path in (run, alone)), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("small_backbone")
def test_a_head_on_photos_learns_and_leaves_the_backbone_as_it_was(
    tmp_path: Path, make_dataset: Make, reporter: Reporter
) -> None:
    import keras

    from training.network.network import build

    dataset = make_dataset(tmp_path / "photos")
    wanted = {"fine_tune.epochs": 0, "head.epochs": 15, "head.learning_rate": 0.05, "network.hidden": [16]}
    recipe = TWO_PHASE.with_options(wanted)
    trained = train_run(dataset, tmp_path / "run", recipe, None, reporter)
    assert trained.validation.accuracy > 0.8
    keras.utils.set_random_seed(recipe.seed)  # as training does before it builds
    begun, ended = build(recipe, 3, None), load_run(tmp_path / "run").load_keras()
    for one, other in zip(*(model.get_layer("base").get_weights() for model in (begun, ended)), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.usefixtures("small_backbone")
def test_fine_tuning_begins_with_the_best_epoch_of_the_head_and_the_better_of_both_is_kept(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, story: io.StringIO
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    swinging = {"head.learning_rate": 0.3, "network.l2": 5.0, "network.dropout": 0.0}
    wild = TWO_PHASE.with_options({"monitor": "loss", **swinging})
    still = {"fine_tune.learning_rate": 1e-8, "fine_tune.batch_norm": "frozen", "fine_tune.epochs": 1}
    train_run(dataset, tmp_path / "still", wild.with_options(still), None, reporter)
    losses = [float(row["log_loss"]) for row in rows(tmp_path / "still")]
    best = min(losses[1:4])
    assert best < losses[3]  # so that the last epoch of the head is not its best one
    assert losses[4] == pytest.approx(best, rel=1e-4)

    ruin = {"fine_tune.optimizer": "sgd", "fine_tune.learning_rate": 9.0, "fine_tune.averaging": 0.0}
    train_run(dataset, tmp_path / "ruin", wild.with_options(ruin), None, reporter)
    kept = [row for row in rows(tmp_path / "ruin") if row["best"] == "True"][-1]
    assert kept["stage"] == HEAD
    assert f"Epoch {kept['epoch']} of the head is kept, because fine-tuning brought no better" in story.getvalue()
    for one, other in zip(
        *(load_run(tmp_path / name).load_keras().get_weights() for name in ("still", "ruin")), strict=True
    ):
        assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_each_optimizer_learns_and_decays_weights_where_it_is_told_to(optimizer: str) -> None:
    from training.fit.optimizer import optimizer_of

    decay = 0.1 if optimizer == "adamw" else 0.0
    given = {"head.optimizer": optimizer, "head.learning_rate": 0.3, "head.weight_decay": decay}
    made = optimizer_of(Recipe().with_options(given).head)
    assert type(made).__name__.lower() == optimizer
    assert (made.weight_decay or 0.0) == decay
    assert float(made.learning_rate) == pytest.approx(0.3)


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(
    "network",
    [
        {"network.sigmoid": True},
        {"network.hidden": [16], "network.batch_norm": True, "network.l2": 0.001},
        {"network.batch_norm": True, "network.sigmoid": True, "network.hidden": [16, 8]},
    ],
)
def test_a_head_on_features_may_have_layers_of_its_own_and_one_unit(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, network: dict[str, Any]
) -> None:
    dataset = make_dataset(tmp_path / "photos", ("blue", "red"))
    recipe = Recipe(weights="none", input=Input(size_px=32), fine_tune=FineTune(epochs=0)).with_options(network)
    head = {"head.learning_rate": 0.02, "head.schedule": "plateau", "head.patience": 60, "network.dropout": 0.1}
    trained = train_run(dataset, tmp_path / "run", recipe.with_options(head), None, reporter)
    assert trained.validation.accuracy == 1.0
    outputs = load_run(tmp_path / "run").load_keras().output_shape[-1]
    assert outputs == (1 if "network.sigmoid" in network else 2)
