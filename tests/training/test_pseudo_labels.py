"""Pseudo-labels: a teacher's most certain answers teach, and are never in a figure, whatever lies in the folder."""

import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from common.errors import PhototriageError
from contract.geometry import Geometry
from convert.card import _labels
from tests.training.test_labelled import FEW, RECIPE, line, write
from training.commands.train import train
from training.dataset.digests import Digests
from training.dataset.prepare import PreparedData, prepare
from training.dataset.samples import Samples
from training.dataset.unlabelled import unlabelled as unlabelled_module
from training.dataset.unlabelled.stacked import Stacked
from training.dataset.unlabelled.unlabelled import Unlabelled, read_unlabelled
from training.errors import DatasetError, RecipeError, TrainingError
from training.fit.familiarity import Centres, FamiliarityThreshold
from training.fit.regression import fit_head
from training.fit.self_training import SelfTraining
from training.on_features.candidate import Candidate, on_broad
from training.on_features.familiar import FamiliarityResult
from training.on_features.pseudo import with_pseudo_labels
from training.on_features.sides import Sides
from training.progress import Reporter
from training.recipe.pseudo import PseudoLabels, check_unlabelled
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import load_recipe
from training.report.findings import findings_of_run
from training.resume.checkpoint import CheckpointHeader
from training.resume.same_training import photos_fingerprint
from training.resume.unfinished import check_photos
from training.run import Run, load_run

Make = Callable[..., Path]
MakePhotos = Callable[..., list[Path]]
Features = NDArray[np.float32]
THREE = Recipe().with_options({"fine_tune.epochs": 0, "pseudo_labels.rounds": 3})


def unit(rows: Any) -> Features:
    short: Features = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return short


def photos_of(features: Features) -> Unlabelled:
    """Photos without labels of which nothing but the features is looked at."""
    count = len(features)
    hashes = Digests.of(sha256(str(number).encode()).digest() for number in range(count))
    samples = Samples((), np.arange(count), hashes, np.zeros((0, 1, 1, 3), np.uint8))
    return Unlabelled("pool", count, samples, np.zeros(count, np.uint64), {}, features)


def familiar_with(rows: Features, least: float) -> FamiliarityResult:
    centres = Centres(unit(rows), np.zeros(len(rows), np.int64), np.zeros((0, rows.shape[1]), np.float32))
    return FamiliarityResult(centres, FamiliarityThreshold(least, 1.0, None, len(rows)), {})


def described(samples: Samples) -> Features:
    """Random features, the same for each content, so that only pixels tell copies."""
    return np.stack(
        [np.random.default_rng(list(digest)).normal(size=64).astype(np.float32) for digest in samples.hashes]
    )


def test_of_each_class_the_most_certain_answers_join_up_to_a_share_and_a_number() -> None:
    rows = np.eye(2, dtype=np.float32)
    head = fit_head(np.repeat(rows, 2, axis=0), np.repeat([0, 1], 2), 2, 30.0)
    tilt = np.linspace(0.0, 1.0, 11)
    pool = unit(np.concatenate([np.stack([1 - tilt, tilt], axis=1), [[1.0, 0.05], [1.0, 0.02]]]))
    sure = SelfTraining(pool, PseudoLabels(1, certainty=0.0, share=0.5, most=1000), 1.0).joined(head)
    counts = np.bincount(sure.classes)
    assert counts.tolist() == [4, 3]  # of 7 or 8 and 5 or 6 answers
    assert {0, 11, 12, 10} <= set(sure.places.tolist())
    few = SelfTraining(pool, PseudoLabels(1, certainty=0.0, share=1.0, most=2), 1.0).joined(head)
    assert set(few.places.tolist()) == {0, 12, 9, 10}
    none = SelfTraining(pool, PseudoLabels(1, certainty=1.0, share=1.0, most=9), 5.0).joined(head)
    assert len(none.places) == 0


def test_a_head_learns_from_what_it_is_sure_of_and_says_from_what() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 3
    rows = unit(np.eye(3, 40)[labels] + rng.normal(0, 0.3, (600, 40)))
    plain = fit_head(rows[:9], labels[:9], 3, 100.0)
    taught = SelfTraining(rows[9:300], PseudoLabels(3), 1.0).fit(rows[:9], labels[:9], 3, 100.0)
    before, after = ((head.logits(rows[300:]).argmax(1) == labels[300:]).mean() for head in (plain, taught))
    assert after > before + 0.02
    assert 0 < len(taught.joined.places) <= 146
    assert (taught.joined.classes == labels[9:300][taught.joined.places]).mean() > before


def test_answers_that_judge_come_from_pseudo_labels_that_were_made_without_the_judged_photo() -> None:
    rng = np.random.default_rng(1)
    rows, labels = unit(rng.normal(size=(80, 400))), rng.permutation(np.arange(80) % 2)  # nothing can be learnt
    sides = Sides(labels, np.arange(80), np.arange(80), labels[:0], labels[:0], 2)
    head = Candidate((rows,), 100.0, 40 * rng.normal(size=(80, 2)).astype(np.float32), None)
    pool = photos_of(rows + rng.normal(0, 0.001, rows.shape).astype(np.float32))  # copies that nobody noticed
    found = with_pseudo_labels(head, pool, familiar_with(rows, -1.0), sides, THREE)
    assert found.candidate.fit(sides, sides.train, 0).logits(rows).argmax(1).tolist() == labels.tolist()
    assert 0.3 < found.candidate.right(sides).mean() < 0.7


def test_pictures_unlike_the_labelled_photos_never_join_however_sure_the_teacher_is() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(60) % 2
    rows = unit(np.eye(2, 30)[labels] + rng.normal(0, 0.05, (60, 30)))
    strange = unit(np.eye(30)[[20]].repeat(50, 0) * 3 + np.eye(30)[[0]] + rng.normal(0, 0.02, (50, 30)))
    sides = Sides(labels, np.arange(60), np.arange(20), labels[:0], labels[:0], 2)
    pool = photos_of(np.concatenate([rows[20:], strange]))
    found = with_pseudo_labels(on_broad(rows, sides, 0), pool, familiar_with(rows[:20], 0.6), sides, THREE)
    final = found.candidate.fit(sides, sides.train, 0)
    facts = found.facts(final, ("a", "b"), 20)
    assert facts["left_out"] == {"unlike the labelled photos": 50}
    assert facts["classes"] == {"a": 10, "b": 10}
    assert facts["share"] == 0.5


def test_pseudo_labels_that_harm_are_left_out_and_that_is_said() -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    rows = unit(np.eye(2, 20)[labels] + rng.normal(0, 0.4, (400, 20)))
    sides = Sides(labels, np.arange(400), np.arange(200), np.arange(200, 400), labels[:0], 2)
    head = Candidate((rows,), 30.0, 5 * np.eye(2, dtype=np.float32)[labels[200:]])  # it answers all of them rightly
    found = with_pseudo_labels(head, photos_of(rows[:50]), familiar_with(rows, -1.0), sides, THREE)
    assert found.candidate is head
    assert "Pseudo-labels are left out, because they harm here: accuracy 0." in found.why
    assert found.facts(head.fit(sides, sides.train, 0), ("a", "b"), 200)["photos"] == 0


def test_photos_without_labels_join_no_split_and_copies_of_the_dataset_and_labelled_ones_are_left_out(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos" / "train", ("blue", "red"), count=6).parent
    make_dataset(root / "val", ("blue", "red"), count=3, seed=7)
    tested = make_dataset(tmp_path / "test", ("blue", "red"), count=2, seed=8)
    pool = tmp_path / "camera"
    new = make_photos(pool / "2026" / "may", "blue", 4, seed=9)
    shutil.copy(tested / "red" / "000.jpg", pool / "copy of a test photo.jpg")
    for name, source in (("val", root / "val" / "red" / "001.jpg"), ("train", root / "train" / "blue" / "001.jpg")):
        with Image.open(source) as photo:
            photo.save(pool / f"{name} saved again.jpg", quality=70)
    shutil.copy(new[0], pool / "twice.jpg")
    (pool / "broken.jpg").write_bytes(new[0].read_bytes()[:200])
    (stranger,) = make_photos(pool / "said", "green", 1, seed=10)
    (pool / "notes.txt").write_text("no photo")
    file = write(tmp_path / "l.jsonl", line(stranger, "_other"), line(root / "train" / "red" / "000.jpg", "red"))
    data = prepare(root, tested, RECIPE, reporter, FEW, described, labels=file, unlabelled=pool)
    alone = prepare(root, tested, RECIPE, reporter, FEW, described, labels=file)
    assert data.unlabelled is not None
    assert set(data.unlabelled.samples.hashes) == {sha256(path.read_bytes()).digest() for path in new}
    assert [photo.path for photo in data.samples.photos] == [photo.path for photo in alone.samples.photos]
    assert [photo.split for photo in data.samples.photos] == [photo.split for photo in alone.samples.photos]
    assert data.found.features is not None
    assert len(data.found.features) == len(alone.found.samples.photos)
    assert data.data_hash() != alone.data_hash()
    said = story.getvalue()
    assert (
        "4 of 10 photos of camera have no label; 1 left out: damaged or of unknown kinds; 1 left out: labelled by"
        in said
    )
    assert "4 left out: the same as photos of the dataset, or as each other" in said
    _resumes_with_the_same_photos_alone(data, alone)


def _resumes_with_the_same_photos_alone(data: PreparedData, other: PreparedData) -> None:
    header = CheckpointHeader({}, photos_fingerprint(data))
    check_photos(Path("run"), header, photos_fingerprint(data))
    with pytest.raises(TrainingError, match=r"photos without labels: others there than now"):
        check_photos(Path("run"), header, photos_fingerprint(other))
    earlier = {key: value for key, value in photos_fingerprint(other).items() if key != "unlabelled"}
    check_photos(Path("run"), CheckpointHeader({}, earlier), photos_fingerprint(other))


def test_of_very_many_photos_some_are_drawn_and_a_folder_without_any_is_refused(
    tmp_path: Path, make_photos: MakePhotos, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photos(tmp_path / "many", "blue", 9)
    geometry = Geometry("stretch", 32)
    monkeypatch.setattr(unlabelled_module, "MOST", 4)
    one, again, other = (read_unlabelled(tmp_path / "many", geometry, seed, None, reporter) for seed in (0, 0, 5))
    assert (one.found, len(one.samples.photos), sum(one.left_out.values())) == (9, 4, 5)
    assert one.sha256 == again.sha256 != other.sha256
    (tmp_path / "none").mkdir()
    for folder, why in (
        (tmp_path / "none", "holds no photos."),
        (tmp_path / "gone", r"holds no photos \(No such file"),
    ):
        with pytest.raises(DatasetError, match=why):
            read_unlabelled(folder, geometry, 0, None, reporter)
    (tmp_path / "none" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DatasetError, match=r"No photo of .* can get a pseudo-label \(1 damaged"):
        read_unlabelled(tmp_path / "none", geometry, 0, None, reporter)


def test_stacked_rows_are_those_of_both_arrays() -> None:
    one, other = np.arange(12, dtype=np.float32).reshape(4, 3), -np.arange(6, dtype=np.float32).reshape(2, 3)
    stacked, whole = Stacked(one, other), np.concatenate([one, other])
    numbers = np.array([5, 0, 3, 4])
    assert stacked.shape == whole.shape
    assert np.array_equal(stacked[numbers], whole[numbers])
    assert [stacked[number].tolist() for number in (1, 5)] == [whole[1].tolist(), whole[5].tolist()]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recipe", "pseudo-labels"), "Pass --unlabelled FOLDER"),
        (("--unlabelled", "pool"), "Pass --recipe pseudo-labels, or leave --unlabelled out"),
        (("--recipe", "pseudo-labels", "--epochs", "2", "--unlabelled", "pool"), "without fine-tuning"),
        (("--recipe", "pseudo-labels", "--weights", "imagenet", "--unlabelled", "pool"), "pseudo_labels.rounds is 3"),
        (("--recipe", "pseudo-labels", "--set", "pseudo_labels.share=2"), "must be from 0 to 1"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(
    tmp_path: Path, make_dataset: Make, words: tuple[str, ...], said: str
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=2)
    done = CliRunner().invoke(train, [str(root), "--output", str(tmp_path / "run"), *words])
    assert isinstance(done.exception, RecipeError), done.output
    assert said in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_another_backend_of_keras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"Keras runs on jax\. Set KERAS_BACKEND=tensorflow"):
        check_unlabelled(load_recipe("pseudo-labels").pseudo_labels, tmp_path, "jax")


def test_a_run_with_pseudo_labels_tells_their_share_and_its_figures_know_only_labelled_photos(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos
) -> None:
    root, pool = make_dataset(tmp_path / "photos", ("blue", "red"), count=6), tmp_path / "camera"
    for name in ("blue", "red"):
        make_photos(pool / name, name, 15, seed=4)
    shutil.copy(root / "red" / "000.jpg", pool / "known.jpg")
    (pool / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    run = tmp_path / "run"
    words = ["--recipe", "pseudo-labels", "--unlabelled", pool, "--size-px", 96, "--set", "pseudo_labels.certainty=0.5"]
    done = CliRunner().invoke(train, [os.fspath(root), "--output", os.fspath(run), *map(str, words)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.output.count("This takes") == 1
    told = json.loads((run / "run.json").read_text())["pseudo_labels"]
    assert (told["folder"], told["found"]) == ("camera", 32)
    assert told["left_out"]["damaged or of unknown kinds"] == 1
    assert told["left_out"]["the same as photos of the dataset, or as each other"] >= 1
    assert 0 < told["photos"] <= 16
    assert told["share"] == told["photos"] / (told["photos"] + 12)
    assert f"12 labelled photos and {told['photos']} pseudo-labels" in done.output
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["dataset"]["photos"] == {"train": 12, "val": 0, "test": 0}
    assert (manifest["head"]["photos"], manifest["memory"]["anchors"], manifest["familiarity"]["photos"]) == (
        12,
        12,
        12,
    )
    assert "camera" not in (run / "predictions.csv").read_text()
    report = (run / "report.html").read_text()
    assert "answer: " in report
    assert "None of them is in a figure" in report
    assert _labels(load_run(run)) == {"pseudo_labels": {"photos": told["photos"], "share": told["share"]}}
    _a_damaged_manifest_is_said(load_run(run))


def _a_damaged_manifest_is_said(run: Run) -> None:
    assert any(finding.title == "Pseudo-labels" for finding in findings_of_run(run))
    damaged = replace(run, manifest={**run.manifest, "pseudo_labels": {"photos": 3}})
    with pytest.raises(PhototriageError, match="is damaged"):
        list(findings_of_run(damaged))
