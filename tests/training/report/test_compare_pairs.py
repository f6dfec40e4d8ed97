"""Two runs on the same photos: what changed is told photo by photo, and chance is not taken for progress."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.report.conftest import MakeRun
from tests.training.report.support import LABELS, TAKEN, TRUE, draw_photos
from training.compare import compare_models
from training.compare.pairs import difference_interval, mcnemar
from training.dataset.digests import Digests
from training.dataset.layout import Photo
from training.measure.predictions import read_predictions, write_predictions

# Two of the three mistakes are mended, and one photo that was right is lost.
OTHER = ((0, 0.9), (2, 0.8), (0, 0.7), (0, 0.6), *TAKEN[4:7], (1, 0.55), *TAKEN[8:])


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (10, 2, 0.03857), (0, 6, 0.03125)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p, abs=1e-5)


def test_the_interval_of_a_difference_holds_the_true_one_in_most_cases() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        gained, lost, _ = rng.multinomial(500, (0.06, 0.04, 0.9))
        low, high = difference_interval(int(gained), int(lost), 500)
        inside += low <= 0.02 <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_photos_that_changed_are_found_with_what_they_were_taken_for(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second", OTHER, epochs=9)
    comparison = compare_models([first.path, second.path])
    (pair,) = comparison.pairs
    assert (pair.photos, pair.both_right, len(pair.gained), len(pair.lost)) == (12, 8, 2, 1)
    assert [(change.photo.name, change.before[0], change.after[0]) for change in pair.gained] == [
        ("03.jpg", "sea", "forest"),
        ("07.jpg", "street", "sea"),
    ]
    assert (pair.lost[0].photo.name, pair.lost[0].after[0]) == ("01.jpg", "street")
    assert pair.lost[0].after[1] == pytest.approx(0.8)
    assert pair.difference == pytest.approx(1 / 12)
    assert pair.p_value == 1.0
    assert "no more than chance explains" in pair.sentence()
    assert comparison.settings == (("fine_tune.epochs", ["5", "9"]),)


def test_runs_of_other_classes_are_compared_on_what_they_share_and_not_tested(
    make_run: MakeRun, photos: tuple[Photo, ...]
) -> None:
    taken = [(winner, sure) for winner, sure in TAKEN if winner < 2][:6]
    two = make_run("two", taken, labels=LABELS[:2], of=photos[:6])
    comparison = compare_models([make_run("three").path, two.path])
    assert comparison.pairs[0].photos == 6
    assert comparison.pairs[0].p_value is None
    assert any("different classes" in note for note in comparison.notes)
    assert any("different validation photos" in note for note in comparison.notes)


def test_a_class_that_stands_elsewhere_in_the_order_is_the_same_class(make_run: MakeRun, tmp_path: Path) -> None:
    turned = LABELS[::-1]
    drawn = draw_photos(tmp_path / "photos", (2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0), turned)
    same = make_run("turned", [(2 - winner, sure) for winner, sure in TAKEN], labels=turned, of=drawn)
    (pair,) = compare_models([make_run().path, same.path]).pairs
    assert (pair.photos, pair.gained, pair.lost) == (12, (), ())


def test_copies_of_a_dataset_are_matched_by_the_place_of_each_photo(make_run: MakeRun, tmp_path: Path) -> None:
    copies = draw_photos(tmp_path / "copy", (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2), LABELS)
    copied = make_run("copied", of=copies, root=tmp_path / "copy")
    comparison = compare_models([make_run().path, copied.path])
    assert comparison.pairs[0].photos == 12
    assert any("matched by their paths" in note for note in comparison.notes)


def test_photos_that_were_moved_and_renamed_are_matched_by_their_content(make_run: MakeRun, tmp_path: Path) -> None:
    first, other = make_run("first"), tmp_path / "elsewhere"
    moved = tuple(Photo(other / f"moved-{number}.jpg", label, "val") for number, label in enumerate(TRUE))
    second = make_run("second", OTHER, of=moved[1:] + moved[:1], root=other)
    for run, root, turn in ((first, tmp_path / "photos", 0), (second, other, 1)):
        known = read_predictions(run.path / "predictions.csv", root, LABELS)
        hashes = Digests.of(bytes([(number + turn) % 12 + 1]) * 32 for number in range(12))
        write_predictions(run.path / "predictions.csv", replace(known, hashes=hashes), root, LABELS)
    (pair,) = compare_models([first.path, second.path]).pairs
    assert pair.photos == 12


def test_runs_without_a_common_photo_stand_side_by_side_only(make_run: MakeRun, tmp_path: Path) -> None:
    drawn = draw_photos(tmp_path / "other" / "set", (0, 1, 2, 0), LABELS)
    renamed = []
    for photo in drawn:
        renamed.append(Photo(photo.path.with_stem(f"other{photo.path.stem}"), photo.label, "val"))
        os.rename(photo.path, renamed[-1].path)  # noqa: PTH104
    other = make_run("other", TAKEN[:4], of=tuple(renamed), root=tmp_path / "other" / "set")
    (pair,) = compare_models([make_run().path, other.path]).pairs
    assert (pair.photos, pair.p_value, pair.interval) == (0, None, (-1.0, 1.0))
    assert "no photos in common" in pair.sentence()


def test_a_photo_that_the_runs_label_differently_is_left_out_and_said(
    make_run: MakeRun, photos: tuple[Photo, ...]
) -> None:
    moved = (Photo(photos[0].path, 1, "val"), *photos[1:])
    comparison = compare_models([make_run().path, make_run("relabelled", of=moved).path])
    assert comparison.pairs[0].photos == 11
    assert any("1 photo that mine and relabelled label differently" in note for note in comparison.notes)


def test_test_photos_count_only_where_every_run_has_some(make_run: MakeRun, photos: tuple[Photo, ...]) -> None:
    both = tuple(Photo(photo.path, photo.label, "test" if n % 2 else "val") for n, photo in enumerate(photos))
    tested = [make_run(name, of=both).path for name in ("one", "two")]
    assert compare_models(tested).words == "test photos"
    assert compare_models([*tested, make_run("three").path]).words == "validation photos"


def test_runs_of_one_name_are_told_apart_by_their_paths(make_run: MakeRun) -> None:
    one, two = make_run("a/run"), make_run("b/run")
    assert [run.name for run in compare_models([one.path, two.path]).compared] == [str(one.path), str(two.path)]
