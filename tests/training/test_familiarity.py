"""Familiarity: centres of what was learnt, a threshold that keeps its word, and a file that comes back whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.errors import RunError
from training.fit.familiarity import (
    CENTRES,
    KEPT,
    LEAST_PHOTOS,
    FamiliarityFile,
    choose_threshold,
    fit_centres,
    out_of_fold_familiarity,
)

NONE = np.zeros((0, 16), np.float32)  # background


def photos(count: int, seed: int = 0, spread: float = 0.4) -> tuple[Any, Any]:
    """Features of three classes, and which class each is of."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return (5 * np.eye(3, 16)[labels] + rng.normal(0, spread, (count, 16))).astype(np.float32), labels


def test_a_stranger_is_less_familiar_than_photos_of_the_classes_and_the_nearest_class_is_named() -> None:
    features, labels = photos(300)
    centres = fit_centres(features, labels, 3, NONE, 0)
    assert np.allclose(np.linalg.norm(centres.rows, axis=1), 1, atol=1e-6)
    own, nearest = centres.familiarity(photos(90, seed=1)[0])
    stranger, _ = centres.familiarity(np.roll(features[:90], 8, axis=1))
    assert own.min() > stranger.max()
    assert (nearest == np.arange(90) % 3).all()


def test_what_is_like_other_kinds_of_photos_is_less_familiar_and_the_classes_own_kind_counts_as_none() -> None:
    features, labels = photos(300)
    own, other = np.eye(16, dtype=np.float32)[:3], np.eye(16, dtype=np.float32)[8:9]
    plain = fit_centres(features, labels, 3, NONE, 0)
    centres = fit_centres(features, labels, 3, np.concatenate([own, other]), 0)
    assert np.array_equal(centres.others, other)
    few = fit_centres(features[:30], labels[:30], 3, np.concatenate([own, other]), 0)  # each photo is a centre
    assert np.array_equal(few.others, other)
    between = features[:9] + 5 * other  # as like to the other kind as to a class
    lost = plain.familiarity(between)[0] - centres.familiarity(between)[0]
    assert lost == pytest.approx(np.full(9, 0.5 * 0.7), abs=0.05)


def test_centres_are_the_same_twice_and_stay_few_whatever_the_number_of_photos() -> None:
    features, labels = photos(3000)
    one, other = (fit_centres(features, labels, 3, NONE, 7) for _ in range(2))
    assert one.rows.tobytes() == other.rows.tobytes()
    assert len(one.rows) == CENTRES // 3 * 3
    assert len(fit_centres(features[:6], labels[:6], 4, NONE, 0).rows) == 6  # of the fourth class there is no photo


def test_the_threshold_keeps_its_word_on_photos_that_nobody_saw() -> None:
    """The share that goes to review on other photos is over 2 % in at most one of 20 draws, and a bit."""
    features, labels = photos(300)
    centres, broken = fit_centres(features, labels, 3, NONE, 0), 0
    for seed in range(1, 41):
        held_out = centres.familiarity(photos(400, seed)[0])[0]
        found = choose_threshold(held_out)
        assert found.kept_at_least is not None
        assert found.kept >= found.kept_at_least >= KEPT
        broken += int((centres.familiarity(photos(4000, 1000 + seed)[0])[0] < found.value).mean() > 1 - KEPT)
    assert broken <= 5


@pytest.mark.parametrize(("count", "promised"), [(LEAST_PHOTOS, True), (LEAST_PHOTOS - 10, False), (1, False)])
def test_too_few_photos_promise_nothing_and_lose_two_of_a_hundred_at_most(count: int, promised: bool) -> None:
    values = np.linspace(0.9, 0.4, count, dtype=np.float32)
    found = choose_threshold(values)
    assert (found.kept_at_least is not None) == promised
    assert (values >= found.value).mean() >= KEPT
    assert (values < found.value).sum() == (int(0.02 * count) if not promised else 0)


def test_a_photo_is_judged_by_centres_that_neither_it_nor_its_copy_is_in() -> None:
    features, labels = photos(60, spread=2.0)
    twice, groups = np.repeat(features, 2, axis=0), np.repeat(np.arange(60), 2)
    values = out_of_fold_familiarity(twice, np.repeat(labels, 2), groups, 3, NONE, 0)
    itself = fit_centres(twice, np.repeat(labels, 2), 3, NONE, 0).familiarity(twice)[0]
    assert itself.min() > 0.99
    assert np.median(values) < 0.9


def test_the_file_comes_back_whole_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    features, labels = photos(30)
    file, path = (
        FamiliarityFile(fit_centres(features, labels, 3, NONE, 0), np.eye(16, 4, dtype=np.float32)),
        tmp_path / "f.npz",
    )
    file.write(path)
    back = FamiliarityFile.read(path)
    assert np.array_equal(back.centres.rows, file.centres.rows)
    assert np.array_equal(back.centres.others, file.centres.others)
    assert np.array_equal(back.centres.classes, file.centres.classes)
    assert np.array_equal(back.projection, file.projection)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match="missing or damaged"):
        FamiliarityFile.read(path)
