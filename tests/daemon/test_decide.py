"""Probabilities and faults become places, by pure functions."""

import numpy as np
import pytest

from common.errors import PhotoError, Reason
from daemon.classify.decide import decide, decide_fault
from daemon.classify.loaded_model import review_thresholds
from daemon.photo import Outcome
from tests.colour_model import LABELS
from tests.daemon.support import rules


@pytest.mark.parametrize(
    ("scores", "threshold", "outcome", "folder", "label"),
    [
        ([0.7, 0.2, 0.1], 0.0, Outcome.FILED, "red", "red"),
        ([0.1, 0.2, 0.7], 0.5, Outcome.FILED, "blue", "blue"),
        ([0.1, 0.5, 0.4], 0.5, Outcome.FILED, "green", "green"),
        ([0.1, 0.5, 0.4], 0.51, Outcome.REVIEW, "_review", "green"),
    ],
)
def test_the_most_probable_class_wins_unless_it_is_below_its_threshold(
    scores: list[float], threshold: float, outcome: Outcome, folder: str, label: str
) -> None:
    judgement = decide(np.array(scores, np.float32), None, rules(thresholds=dict.fromkeys(LABELS, threshold)))
    assert (judgement.outcome, judgement.folder, judgement.label) == (outcome, folder, label)
    assert judgement.probability == pytest.approx(max(scores))
    assert (f"unsure: {label} 0.50 is below 0.51" == judgement.reason) == (outcome is Outcome.REVIEW)


@pytest.mark.parametrize(
    ("policy", "thresholds"),
    [("off", [0.0, 0.0, 0.0]), ("auto", [0.9, 0.0, 0.4]), (0.6, [0.6, 0.6, 0.6]), (0.0, [0.0, 0.0, 0.0])],
)
def test_thresholds_follow_the_policy(policy: str | float, thresholds: list[float]) -> None:
    assert list(review_thresholds(policy, LABELS, {"red": 0.9, "blue": 0.4}).values()) == thresholds


FAILED_WHEN_OLD = (Reason.EMPTY, Reason.NOT_A_PHOTO, Reason.TRUNCATED, Reason.CORRUPT, Reason.TOO_LARGE)
STAYS = (Reason.FOREIGN, Reason.UNSUPPORTED, Reason.FILE_TOO_LARGE)


@pytest.mark.parametrize(
    ("reason", "unchanged_s", "outcome"),
    [
        *((reason, 0.0, Outcome.AGAIN) for reason in FAILED_WHEN_OLD),
        *((reason, -3600.0, Outcome.AGAIN) for reason in FAILED_WHEN_OLD),
        *((reason, 59.9, Outcome.AGAIN) for reason in FAILED_WHEN_OLD),
        *((reason, 60.0, Outcome.FAILED) for reason in FAILED_WHEN_OLD),
        *((reason, age_s, Outcome.LEFT) for reason in STAYS for age_s in (0.0, 1e9)),
        *((Reason.UNREADABLE, age_s, Outcome.AGAIN) for age_s in (0.0, 1e9)),
        *((Reason.CHANGED, age_s, Outcome.GONE) for age_s in (0.0, 1e9)),
        *((Reason.UNJUDGED, age_s, Outcome.FAILED) for age_s in (0.0, 1e9)),
    ],
)
def test_each_fault_has_its_place_at_each_age(reason: Reason, unchanged_s: float, outcome: Outcome) -> None:
    judgement = decide_fault(PhotoError(reason, "the cause"), unchanged_s, rules())
    assert judgement.outcome is outcome
    assert judgement.folder == ("_failed" if outcome is Outcome.FAILED else "")
    assert "the cause" in judgement.reason


def test_every_reason_has_a_case_above() -> None:
    assert {*FAILED_WHEN_OLD, *STAYS, Reason.UNREADABLE, Reason.CHANGED, Reason.UNJUDGED} == set(Reason)
