"""Figures beyond accuracy: against values worked out by hand, and against scikit-learn where it has them."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from tests.training.report.support import LABELS, TAKEN, TRUE, probabilities
from training.measure.metrics import compute_metrics, reliability
from training.report.scores import review_curve, score, sent_to_review

TRUTH = np.array(TRUE)
GIVEN = probabilities(TAKEN, 3)


def test_the_calibration_error_is_the_mean_gap_between_how_sure_and_how_often_right() -> None:
    true = np.zeros(10, np.int64)
    given = np.array([[0.9, 0.1]] * 5 + [[0.3, 0.7]] * 5)
    # Five photos 90 % sure and all right, five 70 % sure and all wrong: gaps of 0.1 and 0.7.
    assert score(true, given, ("a", "b")).calibration_error == pytest.approx(0.5 * 0.1 + 0.5 * 0.7)


def test_sure_photos_fall_into_the_last_bin() -> None:
    (only,) = reliability(np.array([0, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert (only.photos, only.confidence, only.accuracy) == (2, 1.0, 1.0)
    assert only.interval[0] < 1.0


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    assert compute_metrics(TRUTH, GIVEN, LABELS).brier == pytest.approx(
        brier_score_loss(TRUTH, GIVEN, labels=[0, 1, 2])
    )


def test_auc_is_one_for_a_perfect_order_and_unknown_for_a_class_without_photos() -> None:
    found = compute_metrics(np.array([0, 0, 1]), np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0]]), LABELS)
    assert [item.auc for item in found.classes] == [1.0, 1.0, None]
    assert found.macro_auc == 1.0


def test_classes_without_photos_do_not_pull_the_mean_f1_down() -> None:
    assert score(np.array([0, 1]), np.array([[1.0, 0, 0], [0, 1.0, 0]]), LABELS).macro_f1 == 1.0


def test_review_takes_the_least_sure_photos_first_and_ties_together() -> None:
    true = np.zeros(4, np.int64)
    given = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]])
    curve = review_curve(true, given)
    assert curve.share.tolist() == [0.0, 0.5, 0.75]
    assert curve.precision.tolist() == [0.5, 1.0, 1.0]


def test_a_long_review_curve_is_thinned_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, 5000)
    curve = review_curve(rng.integers(0, 2, 5000), np.stack([top, 1 - top], axis=1))
    assert len(curve.share) <= 200
    assert (curve.share[0], curve.share[-1]) == (0.0, 1 - 1 / 5000)


def test_a_threshold_counts_for_the_class_that_a_photo_is_taken_for() -> None:
    given = np.array([[0.7, 0.3], [0.3, 0.7]])
    assert sent_to_review(given, [0.8, 0.6]).tolist() == [True, False]
