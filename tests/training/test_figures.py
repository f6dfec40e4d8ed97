"""Schedules, metrics and calibration: plain functions, checked against values known from elsewhere."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from common.strict_json import MAX_JSON_BYTES
from training.fit.schedule import averaging_decay, learning_rate
from training.measure.calibrate import Calibration, calibrate, find_temperature, least_right
from training.measure.metrics import auc, compute_metrics, log_loss, softmax, wilson


def test_the_rate_rises_in_a_line_and_falls_along_a_cosine() -> None:
    rates = [learning_rate(step, 110, 1.0, 10 / 110) for step in range(110)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_without_warm_up_the_rate_begins_at_its_peak() -> None:
    assert learning_rate(0, 10, 0.3, 0.0) == 0.3


def test_averaging_begins_quickly_and_ends_at_its_share() -> None:
    assert averaging_decay(0, 0.999, 1) == 0.1
    assert averaging_decay(10**6, 0.999, 8) == pytest.approx(0.999**8)


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)


def random_predictions(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) + 1.5 * np.eye(classes)[true]
    return true, logits


def test_measures_agree_with_scikit_learn() -> None:
    true, logits = random_predictions(0, 300, 4)
    probabilities = softmax(logits)
    found = compute_metrics(true, probabilities, "abcd")
    predicted = probabilities.argmax(axis=1)
    assert found.accuracy == sklearn_metrics.accuracy_score(true, predicted)
    assert np.array_equal(found.confusion, sklearn_metrics.confusion_matrix(true, predicted))
    assert found.log_loss == pytest.approx(sklearn_metrics.log_loss(true, probabilities))
    wanted = sklearn_metrics.precision_recall_fscore_support(true, predicted)
    ours = np.array([(item.precision, item.recall, item.f1, item.photos) for item in found.classes]).T
    assert ours == pytest.approx(np.array(wanted))
    macro = sklearn_metrics.precision_recall_fscore_support(true, predicted, average="macro")[:3]
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx(macro)
    one_against_rest = [sklearn_metrics.roc_auc_score(true == index, probabilities[:, index]) for index in range(4)]
    assert [item.auc for item in found.classes] == pytest.approx(one_against_rest)
    assert found.macro_auc == pytest.approx(np.mean(one_against_rest))


def test_auc_counts_a_tie_as_half() -> None:
    rng = np.random.default_rng(1)
    of_class, given = rng.random(200) < 0.3, rng.integers(0, 5, 200) / 4
    assert auc(of_class, given) == pytest.approx(sklearn_metrics.roc_auc_score(of_class, given))
    assert auc(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_auc_is_undefined_where_there_is_nothing_to_tell_apart() -> None:
    found = compute_metrics(np.array([0, 0]), np.array([[0.9, 0.1], [0.4, 0.6]]), "ab")
    assert [item.auc for item in found.classes] == [None, None]
    assert found.macro_auc is None
    assert json.loads(json.dumps(found.card()))["macro_auc"] is None


def test_the_card_of_two_thousand_classes_fits_into_a_model_many_times() -> None:
    labels = [f"{number:04d} {'a very long name of a class ' * 3}" for number in range(2000)]
    true, logits = random_predictions(0, 4000, 2000)
    card = compute_metrics(true, softmax(logits), labels).card()
    assert "confusion" not in card
    assert all(item["auc"] == round(item["auc"], 6) for item in card["classes"] if item["photos"])
    assert len(json.dumps(card)) < MAX_JSON_BYTES / 6


def test_a_class_without_photos_or_predictions_measures_zero_and_not_an_error() -> None:
    found = compute_metrics(np.array([0, 0]), np.array([[0.9, 0.1, 0.0]] * 2), "abc")
    assert [item.f1 for item in found.classes] == [1.0, 0.0, 0.0]
    assert found.sentence("photos") == "Accuracy on the 2 photos: 1.0000 (95 % interval 0.342 to 1.000), 0 wrong."


def test_macro_recall_stands_beside_the_accuracy_where_classes_differ_in_size() -> None:
    uneven = compute_metrics(np.array([0] * 8 + [1, 1]), np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]]), "ab")
    assert uneven.sentence().endswith("1 wrong. Mean recall of the classes: 0.7500.")
    even = compute_metrics(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1]] * 4), "ab")
    assert even.sentence().endswith("1 wrong.")


def test_a_certain_mistake_costs_much_but_not_everything() -> None:
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(34.54, abs=0.01)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_calibration_finds_the_temperature_that_spoilt_the_logits(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(20_000, 3))
    honest = softmax(logits)
    true = (honest.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert find_temperature(logits * temperature, true) == pytest.approx(temperature, rel=0.05)


def known_answers(count: int, seed: int, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are right, times `sharper`, and classes drawn by them."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(count, 3))
    true = (softmax(logits).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return logits * sharper, true


def realised(logits: np.ndarray, true: np.ndarray, chosen: Calibration) -> float:
    """Precision above the thresholds."""
    given = softmax(logits, chosen.temperature)
    passed = given.max(axis=1) >= np.array([*chosen.thresholds.values()])[given.argmax(axis=1)]
    return float((given.argmax(axis=1) == true)[passed].mean())


def test_thresholds_from_fewer_photos_than_can_promise_anything_keep_their_word_all_the_same() -> None:
    new, true = known_answers(20_000, 1)
    found = [calibrate(*known_answers(24, seed), "abc", 0.95) for seed in range(2, 42)]
    assert np.mean([realised(new, true, each) for each in found]) >= 0.94


def test_thresholds_from_few_photos_keep_their_word_on_new_ones() -> None:
    new, true = known_answers(20_000, 1)
    found = [calibrate(*known_answers(120, seed), "abc", 0.95) for seed in range(2, 42)]
    assert np.mean([realised(new, true, each) for each in found]) >= 0.94
    expected = np.mean([each.precision for each in found if each.precision is not None])
    assert expected == pytest.approx(0.95, abs=0.02)  # measured on photos that chose nothing
    passed = [np.mean(softmax(new, each.temperature).max(axis=1) >= min(each.thresholds.values())) for each in found]
    assert np.mean([each.coverage for each in found]) == pytest.approx(np.mean(passed), abs=0.05)


def test_thresholds_from_uneven_classes_keep_their_word_where_classes_are_even() -> None:
    new, true = half_told(20_000, 1)
    logits, seen = half_told(6000, 2)
    some = (seen != 2) | (np.arange(len(seen)) % 20 == 0)
    chosen = calibrate(logits[some], seen[some], "abc", 0.9)
    assert realised(new, true, chosen) >= 0.89
    assert chosen.precision == pytest.approx(0.9, abs=0.02)
    assert chosen.interval is not None
    assert chosen.interval[1] - chosen.interval[0] > 0.02, "the hundred photos of the small class decide, not all"


def half_told(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers to photos of three classes, the last of which is often taken for the first."""
    logits, true = known_answers(count, seed)
    logits[true == 2, 0] += 2
    return logits, true


def test_no_threshold_is_zero_and_few_answers_share_one() -> None:
    logits, true = 10 * np.eye(3)[np.arange(60) % 3], np.arange(60) % 3
    thresholds = calibrate(logits, true, "abc", 0.95).thresholds
    assert min(thresholds.values()) > 0.5
    assert len(set(thresholds.values())) == 1


def test_too_few_right_answers_promise_nothing_and_say_so() -> None:
    assert least_right(0.95) == 45
    few, enough = (calibrate(*known_answers(count, 0), "abc", 0.95).sentences for count in (30, 3000))
    assert "cannot promise a precision of 0.95, because that takes 45" in few[0]
    assert enough == ()


def test_a_temperature_at_its_bound_is_said() -> None:
    found = calibrate(*known_answers(2000, 0, sharper=20.0), "abc", 0.95)
    assert "The temperature stands at its bound (5)" in found.sentences[-1]


def test_a_class_that_was_never_predicted_is_never_trusted() -> None:
    logits = np.array([[3.0, 0.0, -9.0], [0.0, 3.0, -9.0]] * 30)
    assert calibrate(logits, np.array([0, 1] * 30), "abc", 0.95).thresholds["c"] == 1.0


def test_photos_of_one_probability_stand_or_fall_together() -> None:
    logits, true = np.array([[2.0, 0.0]] * 60 + [[9.0, 0.0]] * 400), np.array([1] * 50 + [0] * 410)
    chosen = calibrate(logits, true, "ab", 0.95)
    assert softmax(logits, chosen.temperature)[0, 0] < chosen.thresholds["a"] < 1.0


def test_a_calibration_is_plain_json() -> None:
    given = calibrate(*known_answers(100, 0), "abc", 0.95).to_dict()
    assert list(json.loads(json.dumps(given))["thresholds"]) == ["a", "b", "c"]
