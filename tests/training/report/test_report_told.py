"""What newer runs tell beside their figures stands in their report; older runs tell less, and have one too."""

import numpy as np
import pytest

from tests.training.report.conftest import MakeRun
from tests.training.report.support import LABELS, TAKEN, TRUE, Page, probabilities
from training.errors import RunError
from training.measure.learning_curve import learning_curve, share_of
from training.measure.metrics import Floats, Ints
from training.measure.predictions import Predictions
from training.report import report_of_run
from training.report.page import page
from training.report.scores import calibration_noise, pr_curve, score
from training.report.summary import at_a_glance

TOLD = {
    "choice": {"kept": "head", "why": "Fine-tuning brought nothing here."},
    "learning_curve": [
        {"share": 0.25, "photos": 12, "accuracy": 0.6, "interval": [0.4, 0.8]},
        {"share": 0.5, "photos": 24, "accuracy": 0.7, "interval": [0.5, 0.85]},
        {"share": 1.0, "photos": 48, "accuracy": 0.75, "interval": [0.55, 0.88]},
    ],
    "calibration": {
        "precision": 0.962,
        "interval": [0.93, 0.98],
        "coverage": 0.81,
        "sentences": ["Not sure."],
    },
    "familiarity": {
        "threshold": 0.31,
        "kept_at_least": 0.981,
        "photos": 40,
        "histogram": {"low": 0.2, "step": 0.1, "counts": [1, 9, 20, 10]},
        "least_familiar": [{"photo": "sea/7.jpg", "familiarity": 0.2031}],
    },
    "foreign": [{"kind": "receipts", "photos": 40, "filed": 0.125, "interval": [0.05, 0.26]}],
}


def test_choice_learning_curve_promise_and_foreign_pictures_stand_in_the_report(make_run: MakeRun) -> None:
    shown = Page(page(report_of_run(make_run(**TOLD))))
    words = shown.text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    for wanted in (
        "Fine-tuning brought nothing here.",
        "From 50 % to 100 % of the photos, the accuracy rose by 5.0 points.",
        "96.2 % are expected to be right (95 % interval 93.0 % to 98.0 %).",
        "They let 81.0 % of the photos pass",
        "Not sure.",
        "12.5 %",
        "A photo below 0.310 is unlike all photos learnt from",
        "At most 1.9 % of good photos go to review for it",
        "sea/7.jpg",
    ):
        assert wanted in words, wanted
    assert [chart for chart in shown.all("svg") if "48 photos" in str(chart.get("aria-label"))]


def test_a_run_that_tells_none_of_it_has_a_report_without_empty_sections(make_run: MakeRun) -> None:
    words = Page(page(report_of_run(make_run()))).text
    for absent in (
        "What more photos bring",
        "What the thresholds promise",
        "does not know?",
        "Pictures that belong to no class",
    ):
        assert absent not in words


def test_damaged_facts_are_an_error_that_names_the_file(make_run: MakeRun) -> None:
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        report_of_run(make_run(learning_curve=[{"share": 0.25}]))


def test_right_answers_of_each_class_are_shown_beside_the_mistakes(make_run: MakeRun) -> None:
    text = page(report_of_run(make_run()))
    section = text[text.index('id="examples"') : text.index('id="trust"')]
    assert section.count("<img") == sum(taken == true for (taken, _), true in zip(TAKEN, TRUE, strict=True))
    assert 'class="wrong"' not in section


def nearest_means(features: Floats, labels: Ints) -> object:
    means = np.stack([features[labels == label].mean(axis=0) for label in np.unique(labels)])
    return lambda given: -((given[:, None] - means) ** 2).sum(axis=2)


def test_the_learning_curve_rises_with_the_photos_and_counts_every_held_photo() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 100)
    features = np.eye(4)[labels] @ rng.normal(size=(4, 60)) * 0.35 + rng.normal(size=(400, 60))
    places = rng.permutation(400)
    folds = [(places[40:], places[:40]), (np.delete(places, np.s_[40:80]), places[40:80])]
    answers = [nearest_means(features[learnt], labels[learnt])(features[held]) for learnt, held in folds]  # type: ignore[operator]
    right = [given.argmax(axis=1) == labels[held] for given, (_, held) in zip(answers, folds, strict=True)]
    curve = learning_curve(features, labels, folds, nearest_means, 0, np.concatenate(right))  # type: ignore[arg-type]
    assert [point.share for point in curve] == [0.25, 0.5, 1.0]
    assert [point.photos for point in curve][-1] == 360
    assert curve[0].accuracy < curve[-1].accuracy
    assert all((point.accuracy * 80) % 1 == pytest.approx(0) for point in curve)
    assert all(point.interval[0] < point.accuracy < point.interval[1] for point in curve)


def test_a_smaller_share_is_part_of_a_larger_one_and_leaves_out_no_class() -> None:
    labels = np.array([0] * 40 + [1] * 2)
    quarter, half = (share_of(labels, np.arange(42), share, 0) for share in (0.25, 0.5))
    assert set(quarter) < set(half)
    assert np.bincount(labels[quarter]).tolist() == [10, 1]


def test_precision_against_recall_ends_where_all_are_found() -> None:
    of_class, given = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    assert pr_curve(of_class, given) == [(0.5, 1.0), (0.5, 0.5), (1.0, pytest.approx(2 / 3))]


@pytest.mark.parametrize(
    ("number", "sure", "words"),
    [
        (4000, 0.8, "can be taken at their word: the calibration"),
        (20, 0.9, "too few to tell"),
        (4000, 0.95, "is overconfident"),
    ],
)
def test_only_the_calibration_error_says_whether_probabilities_can_be_taken_at_their_word(
    make_run: MakeRun, number: int, sure: float, words: str
) -> None:
    given = report_of_run(make_run())
    one = given.predictions.photos[0]
    right = np.arange(number) % 5 != 0  # 80 %
    taken = probabilities([(0 if good else 1, sure) for good in right], len(LABELS))
    many = Predictions((one,) * number, taken)
    told = list(at_a_glance(type(given)(given.title, LABELS, many, given.root)))
    assert any(words in sentence for sentence in told), told


def test_chance_alone_makes_the_calibration_error_of_true_probabilities() -> None:
    errors, chances = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.5, 1.0, 100)
        true = (rng.random(100) > sure).astype(np.int64)
        found = score(true, np.stack([sure, 1 - sure], axis=1), "ab")
        errors.append(found.calibration_error)
        chances.append(calibration_noise(found.bins))
    assert np.mean(chances) == pytest.approx(np.mean(errors), rel=0.15)
