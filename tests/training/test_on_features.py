"""Training on the features of the broad network: twice the same, through a kill too, and never worse than the head."""

import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from rich.console import Console

from contract.memory import Memory
from contract.shipped import SHIPPED_BROAD
from training.dataset.prepare import prepare
from training.errors import DatasetError
from training.fit.familiarity import FamiliarityFile
from training.fit.regression import (
    FOLDS,
    GRID,
    USUAL_C,
    LinearHead,
    can_judge,
    choose_c,
    fit_head,
    folds,
    out_of_fold,
)
from training.measure.evaluate import evaluate_model
from training.measure.predictions import read_predictions, write_predictions
from training.network.broad_network import read_broad
from training.on_features.candidate import Candidate, on_both, on_broad
from training.on_features.choice import HEAD, TUNED, choose
from training.on_features.memory import write_memory
from training.on_features.sides import NEVER_LEARNT, Sides
from training.on_features.train import _curve
from training.pipeline import hold_out_from
from training.progress import Reporter
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import load_recipe
from training.run import MEMORY

Make = Callable[..., Path]
TRAIN = """
import os, signal, sys
from pathlib import Path
from rich.console import Console
from training import pipeline, progress
from training.on_features import fine_tune, sides
from training.on_features.choice import Choice
from training.recipe.recipe import Recipe

dataset, output, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
fine_tune.LEAST_PHOTOS = 10
sides.FEW, sides.NEVER_LEARNT = 20, 4
fine_tune.choose = lambda *given: Choice("fine-tuned", "forced, so that the tail is in the network")

if kill_at == "ctrl-c":
    from training.fit.loop import StageLoop

    def stopped(loop, history):
        print("an epoch begins")
        raise KeyboardInterrupt

    StageLoop.epoch = stopped

class Killing(progress.Reporter):
    def say(self, line):
        super().say(line)
        if kill_at != "never" and line.startswith(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

few = {"input.size_px": 96, "fine_tune.epochs": 2, "fine_tune.least_steps": 0, "fine_tune.batch_size": 8}
pipeline.train_run(dataset, output, Recipe().with_options(few), None, Killing(Console(width=300)))
"""


def train(dataset: Path, output: Path, kill_at: str = "never") -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", TRAIN, os.fspath(dataset), os.fspath(output), kill_at]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=600)


def weights(run: Path) -> list[Any]:
    import keras

    values: list[Any] = keras.saving.load_model(run / "model.keras", compile=False).get_weights()
    return values


def test_the_same_command_gives_the_same_bytes_through_a_kill_too(tmp_path: Path, make_dataset: Make) -> None:
    dataset = tmp_path / "photos"
    make_dataset(dataset / "train", ("blue", "red"), count=12)
    make_dataset(dataset / "val", ("blue", "red"), count=6, seed=1)
    with Image.open(dataset / "val" / "red" / "000.jpg") as photo:
        ImageOps.mirror(photo).save(dataset / "train" / "red" / "mirrored.jpg", quality=90)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = train(dataset, whole)
    assert done.returncode == 0, done.stderr
    assert train(dataset, killed, "Epoch 2").returncode == -9
    resumed = train(dataset, killed)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming after epoch 1" in resumed.stdout
    one, other = weights(whole), weights(killed)
    assert "1 training photos are left out, because validation or test photos show the same" in done.stdout
    assert json.loads((whole / "run.json").read_text())["dataset"]["photos"] == {"train": 24, "val": 12, "test": 0}
    assert len(one) > 300  # trunk and two tails
    kernels = [value for value in one if value.shape == (1, 1, 320, 1280)]  # the last convolution of both tails
    assert len(kernels) == 2
    assert not np.array_equal(*kernels)  # one has learnt
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    manifest = json.loads((whole / "run.json").read_text())
    assert manifest["repeatable"] is True
    assert manifest["choice"]["kept"] == TUNED
    assert manifest["judged"] == "held out"
    assert manifest["familiarity"]["photos"] == 12  # those of the validation folder, which no centre saw
    assert manifest["familiarity"]["id"].endswith("-96")
    quiet = Reporter(Console(quiet=True))
    labels = tuple(manifest["labels"])
    found = read_predictions(whole / "predictions.csv", dataset, labels)
    never = found.never_learnt()
    assert never is not None
    assert (len(found.photos), len(never.photos)) == (12, 4)
    memory = Memory.from_bytes((whole / MEMORY).read_bytes())
    assert memory.facts(hashlib.sha256((killed / MEMORY).read_bytes()).hexdigest()).to_value() == manifest["memory"]
    assert (memory.labels, memory.widths, len(memory.anchors())) == (labels, (1280, 1280), 32)
    assert memory.gate()[1].tolist() == never.true.tolist()
    measured = evaluate_model(whole, dataset, None, quiet).predictions  # of its own validation folder these four
    assert measured.photos == never.photos
    assert np.abs(measured.probabilities - never.of_final_model).max() < 1e-3
    write_predictions(whole / "predictions.csv", replace(found, learnt=found.true >= 0), dataset, labels)
    with pytest.raises(DatasetError, match="would flatter it"):
        evaluate_model(whole, dataset, None, quiet)


def test_ctrl_c_while_fine_tuning_is_judged_keeps_the_head_and_a_grid_knows_the_run(
    tmp_path: Path, make_dataset: Make
) -> None:
    dataset = make_dataset(tmp_path / "photos", ("blue", "red"), count=8)
    run = tmp_path / "grid" / "cell"
    run.parent.mkdir()
    done = train(dataset, run, "ctrl-c")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("an epoch begins") == 1  # the other folds do not begin
    manifest = json.loads((run / "run.json").read_text())
    assert (manifest["interrupted"], manifest["choice"]["kept"], manifest["judged"]) == (True, HEAD, "out of fold")
    assert manifest["dataset"]["photos"] == {"train": 16, "val": 0, "test": 0}
    recipe = load_recipe(run / "recipe.toml")
    found = prepare(dataset, None, recipe, Reporter(Console(quiet=True)), hold_out_from(recipe))
    assert found.data_hash() == manifest["dataset"]["sha256"]  # by which a grid knows the photos of a finished cell


def two_blocks(_name: str, size_px: int, _weights: Path | None = None) -> Any:
    """A backbone of few layers in two blocks, with names as MobileNetV2's."""
    import keras

    images = keras.Input((size_px, size_px, 3))
    maps = keras.layers.Conv2D(4, 3, strides=16, name="Conv1")(images)
    for block in (1, 2):
        maps = keras.layers.Conv2D(4, 1, name=f"block_{block}_expand")(maps)
        maps = keras.layers.BatchNormalization(name=f"block_{block}_expand_BN")(maps)
        maps = keras.layers.ReLU(name=f"block_{block}_expand_relu")(maps)
    return keras.Model(images, maps, name="base")


def test_networks_that_have_learnt_begin_again_as_if_they_were_new(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from training.network import network
    from training.on_features.networks import TailNetworks

    monkeypatch.setattr(network, "make_backbone", two_blocks)
    options = {"input.size_px": 64, "fine_tune.unfreeze": "1 block", "fine_tune.batch_norm": "train"}
    recipe = Recipe().with_options({**options, "network.dropout": 0.5, "fine_tune.scale": 1.0})
    head = LinearHead(np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32), 1.0)

    def new() -> TailNetworks:
        keras.utils.set_random_seed(0)
        return TailNetworks(recipe, 3, None)

    def learnt(networks: TailNetworks, seed: int) -> list[Any]:
        rng = np.random.default_rng(seed)
        judged, learner = networks.judged(head), networks.learner()
        learner.set_weights(judged.get_weights())
        batches = [(rng.random((8, 4, 4, 4), np.float32), np.eye(3, dtype=np.float32)[np.arange(8) % 3])] * 3
        losses = [learner.step(maps, targets, 0.05) for maps, targets in batches]
        judged.set_weights(learner.network.get_weights())
        tuned = networks.describing.predict_on_batch(batches[0][0])
        return [*learner.network.get_weights(), *learner.state()[1], np.array(losses), tuned]

    used = new()
    first, again, fresh = learnt(used, 1), learnt(used, 2), learnt(new(), 2)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(again, fresh, strict=True))
    assert not np.array_equal(first[-1], fresh[-1])


def blobs(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Unit vectors of three classes, which overlap."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    rows = np.eye(3, 8)[labels] + rng.normal(0, 0.5, (count, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def test_the_head_is_the_same_twice_and_a_class_without_photos_never_wins() -> None:
    rows, labels = blobs(90)
    one, other = (fit_head(rows, labels, 4, 3.0) for _ in range(2))
    assert one.kernel.tobytes() == other.kernel.tobytes()
    answers = one.logits(rows).argmax(axis=1)
    assert (answers == labels).mean() > 0.6
    assert (answers < 3).all()


def test_two_classes_get_a_logit_each_with_the_probabilities_of_the_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, labels = blobs(90)
    rows, labels = rows[labels < 2], labels[labels < 2]
    logits = fit_head(rows, labels, 2, 3.0).logits(rows)
    wanted = LogisticRegression(C=3.0, max_iter=1000).fit(rows, labels).decision_function(rows)
    assert logits[:, 1] - logits[:, 0] == pytest.approx(wanted, abs=1e-4)


def test_a_class_of_few_photos_is_found_as_often_as_one_of_many() -> None:
    rows, labels = blobs(900)
    few = np.flatnonzero((labels != 2) | (np.arange(900) < 45))  # 300, 300 and 15 photos
    head = fit_head(rows[few], labels[few], 3, 3.0)
    new, true = blobs(3000, seed=1)
    right = head.logits(new).argmax(axis=1) == true
    recalls = [right[true == label].mean() for label in range(3)]
    assert min(recalls) > 0.75 * max(recalls)


def test_no_photo_is_answered_by_a_head_that_learnt_from_it_or_from_its_copy() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(30, 64)).astype(np.float32)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    rows, groups = np.vstack([half, half]), np.tile(np.arange(30), 2)
    labels = np.tile(rng.integers(0, 2, 30), 2)  # nothing but a copy tells the label
    right = out_of_fold(rows, labels, folds(labels, groups, FOLDS), 2, 100.0).argmax(axis=1) == labels
    assert right.mean() < 0.75
    apart = out_of_fold(rows, labels, folds(labels, np.arange(60), FOLDS), 2, 100.0).argmax(axis=1) == labels
    assert apart.mean() > 0.85


def test_a_class_of_one_burst_always_teaches_and_the_other_photos_judge() -> None:
    rows, labels = blobs(60)
    rows, labels = np.vstack([rows, rows[:4]]), np.append(labels, [3, 3, 3, 1])
    groups = np.append(np.arange(60), [60, 60, 60, 60])  # the last photo shows what the burst of class 3 shows
    assert can_judge(labels, groups).tolist() == [True] * 60 + [False] * 4
    parts = folds(labels, groups, 5)
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == [*range(60)]
    assert all(set(learnt) >= {60, 61, 62, 63} for learnt, _ in parts)
    two = np.append(np.flatnonzero(labels[:60] == 0), [60, 61, 62])  # another class and the burst
    assert choose_c(rows[two], np.minimum(labels[two], 1), groups[two], 2) in GRID
    assert choose_c(rows[[0, 1]], labels[[0, 1]], groups[[0, 1]], 4) == USUAL_C  # none can judge


def test_the_penalty_is_chosen_by_answers_to_unseen_photos() -> None:
    rows, labels = blobs(60)
    noise = np.random.default_rng(1).permutation(labels)
    groups = np.arange(60)
    assert choose_c(rows, noise, groups, 3) == GRID[0]  # nothing to learn: the strongest penalty that is tried
    assert choose_c(rows, labels, groups, 3) > GRID[0]


def candidate(right: Any, sure: float) -> Candidate:
    """Answers to photos of class 0 of two: right or wrong, each as sure."""
    logits = np.where(right[:, None], [[sure, 0.0]], [[0.0, sure]])
    return Candidate((), 1.0, logits)


def sides(count: int) -> Sides:
    none, all_of_them = np.arange(0), np.arange(count)
    return Sides(np.zeros(count, np.int64), all_of_them, none, all_of_them, none, 2)


def test_fine_tuning_is_kept_only_if_chance_does_not_explain_it() -> None:
    before = np.arange(200) >= 20  # 20 wrong
    few, many = before.copy(), before.copy()
    few[:3], many[:12] = True, True
    head = candidate(before, 2.0)
    assert choose(head, candidate(few, 2.0), sides(200)).kept == HEAD
    assert choose(head, candidate(many, 2.0), sides(200)).kept == TUNED
    assert choose(candidate(many, 2.0), head, sides(200)).kept == HEAD
    assert "mended 12 answers and spoilt 0" in choose(head, candidate(many, 2.0), sides(200)).why


@pytest.mark.parametrize("held", [0, 30])
def test_a_head_is_fitted_once_on_the_same_photos_and_is_the_one_that_a_new_fit_gives(held: int) -> None:
    rows, labels = blobs(120)
    parts = np.split(np.arange(120), [120 - held])
    found = Sides(labels, np.arange(120), parts[0], parts[1], parts[1][:0], 3)
    for made in (on_broad(rows, found, 0), *([on_both(rows, rows, found, 0)] if held else [])):
        head = made.fit(found, found.train, 0)
        assert head is made.taught
        assert head.kernel.tobytes() == replace(made, taught=None).fit(found, found.train, 0).kernel.tobytes()
        assert made.fit(found, found.train[:60], 0).kernel.tobytes() != head.kernel.tobytes()
    made = on_broad(rows, found, 0)
    if held:
        given = fit_head(rows[found.train], labels[found.train], 3, made.c).logits(rows[found.val])
    else:
        given = out_of_fold(rows, labels, folds(labels, np.arange(120), FOLDS), 3, made.c)
    right = (given.argmax(axis=1) == labels[found.judges]).mean()
    assert _curve(made, found, 0)[-1].accuracy == pytest.approx(right)


def test_a_thousand_validation_photos_in_whole_groups_and_of_each_class_its_share_are_never_learnt_from() -> None:
    count = 9000
    groups = np.arange(count) // 3
    labels = np.where(groups % 10 == 0, 1, 0)  # a tenth is of the second class
    train, val = np.arange(0, 6900), np.arange(6900, count)
    sides = Sides(labels, groups, train, val, train[:0], 2)
    found = sides.never_learnt(seed=0)
    assert NEVER_LEARNT - 3 < len(found) <= NEVER_LEARNT
    assert set(found) <= set(val)
    assert np.isin(groups[np.setdiff1d(val, found)], groups[found]).sum() == 0
    assert 98 <= (labels[found] == 1).sum() <= 102
    assert found.tolist() == sides.never_learnt(seed=0).tolist()
    assert found.tolist() == sorted(found) != sides.never_learnt(seed=1).tolist()
    some = Sides(labels, groups, train[:1900], val[:500], train[:0], 2)
    assert 297 < len(some.never_learnt(seed=0)) <= 300  # an eighth of 2,400
    few = Sides(np.zeros(900, np.int64), groups[:900], train[:700], np.arange(700, 900), train[:0], 2)
    assert len(few.never_learnt(seed=0)) == 0


def test_the_memory_holds_photos_that_the_head_learnt_from_once_each_and_the_others_with_their_classes(
    tmp_path: Path,
) -> None:
    rows, labels = blobs(3000)
    groups = np.arange(3000) // 2  # each photo has a copy
    sides = Sides(labels, groups, np.arange(2400), np.arange(2400, 3000), labels[:0], 3)
    chosen = on_broad(rows, sides, 0)
    learnt_from = np.setdiff1d(np.arange(3000), sides.never_learnt(0))
    head = chosen.fit(sides, learnt_from, 0)
    facts = write_memory(tmp_path, (chosen, head), sides, learnt_from, ("a", "b", "c"), 0)
    memory = Memory.from_bytes((tmp_path / MEMORY).read_bytes())
    known = chosen.rows(np.arange(3000))
    nearest = [int(np.abs(known - row).max(axis=1).argmin()) for row in memory.anchors()]
    gate, classes = memory.gate()
    assert (facts.anchors, facts.gate, facts.strangers) == (1000, len(sides.never_learnt(0)), 0)
    assert len(set(groups[nearest])) == 1000
    assert set(nearest) <= set(learnt_from)
    best = np.sort(head.logits(known[learnt_from[::2]]), axis=1)
    doubtful = learnt_from[::2][np.argsort(best[:, -1] - best[:, -2])[:450]]
    assert set(groups[doubtful]) <= set(groups[nearest]), "those between two classes are all remembered"
    counts = np.bincount(labels[np.setdiff1d(nearest, doubtful)])
    assert counts.min() > 100, "the others are of all classes"
    assert np.abs(gate - known[sides.never_learnt(0)]).max() < 0.005
    assert classes.tolist() == labels[sides.never_learnt(0)].tolist()


def test_a_head_holds_what_it_was_fitted_with() -> None:
    rows, labels = blobs(30)
    head = fit_head(rows, labels, 3, 3.0)
    assert isinstance(head, LinearHead)
    assert (head.kernel.shape, head.bias.shape, head.c) == ((8, 3), (3,), 3.0)
    assert {head.kernel.dtype, head.bias.dtype} == {np.dtype(np.float32)}


def test_many_classes_of_few_photos_bring_no_warning_of_a_library() -> None:
    rows = np.eye(24, 24, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (fit_head(rows, np.arange(24), 24, 3.0).logits(rows).argmax(axis=1) == np.arange(24)).all()


def test_photos_of_the_class_other_are_no_photos_of_a_class_but_what_familiarity_tells_apart(
    tmp_path: Path, make_dataset: Make
) -> None:
    dataset = make_dataset(tmp_path / "photos", ("blue", "red", "_other"), count=8)
    done = train(dataset, tmp_path / "run", "never")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    kept = FamiliarityFile.read(tmp_path / "run" / "familiarity.npz")
    other = manifest["labels"].index("_other")
    assert set(kept.centres.classes.tolist()) == {0, 1, 2} - {other}
    shipped = {row.tobytes() for row in read_broad(SHIPPED_BROAD).background}
    assert [row for row in kept.centres.others if row.tobytes() not in shipped]  # of the pictures of no class
    assert manifest["familiarity"]["photos"] == 16
