"""The gate: harm shown refuses, help shown takes, and few photos show neither."""

import numpy as np
import pytest

from learn.fitting.gate import HELPS, OPEN, REFUSED, Duel, changes_little, duel, judge, of_each_class

NOTHING = Duel(0, 0, 0)


def test_five_losses_show_nothing_and_six_refuse() -> None:
    assert judge(Duel(0, 4, 1000), [], NOTHING).kind == OPEN
    assert judge(Duel(0, 5, 1000), [], NOTHING).kind == REFUSED  # one-sided: 5 of 5 has p 0.03
    assert judge(NOTHING, [], Duel(0, 5, 20)).kind == REFUSED


def test_only_the_owners_photos_can_show_help() -> None:
    assert judge(Duel(50, 0, 1000), [], NOTHING).kind == OPEN
    assert judge(Duel(0, 0, 1000), [], Duel(9, 1, 20)).kind == HELPS


def test_help_on_the_owners_photos_allows_two_points_of_validation_and_no_more() -> None:
    helps = Duel(9, 1, 20)
    assert judge(Duel(2, 20, 1000), [], helps).kind == HELPS
    assert judge(Duel(2, 25, 1000), [], helps).kind == REFUSED
    assert judge(Duel(2, 20, 1000), [], NOTHING).kind == REFUSED


def test_a_class_of_a_hundred_photos_that_falls_refuses_and_a_smaller_one_does_not() -> None:
    calm = Duel(10, 10, 1000)
    assert judge(calm, [Duel(0, 12, 150), Duel(5, 0, 150)], NOTHING).kind == REFUSED
    assert judge(calm, [Duel(0, 12, 99), Duel(5, 0, 150)], NOTHING).kind == OPEN


def test_labels_at_random_refuse_unless_the_owners_photos_show_help() -> None:
    assert judge(NOTHING, [], NOTHING, at_random=True).why == "labels"
    assert judge(NOTHING, [], Duel(4, 0, 20), at_random=True).kind == REFUSED
    assert judge(NOTHING, [], Duel(5, 0, 20), at_random=True).kind == HELPS


def test_a_hundred_draws_without_a_true_change_are_refused_at_most_five_times() -> None:
    rng, refused = np.random.default_rng(0), 0
    classes = np.repeat(np.arange(6), 160)
    for _ in range(100):
        before = rng.random(960) < 0.93
        flipped = np.flatnonzero(rng.random(960) < 0.03)
        after = before.copy()
        after[flipped] = rng.random(len(flipped)) < 0.5
        before[flipped] = rng.random(len(flipped)) < 0.5
        refused += judge(duel(before, after), of_each_class(before, after, classes, 6), NOTHING).kind == REFUSED
    assert refused <= 5


@pytest.mark.parametrize(("validation", "filed", "little"), [(20, 20, True), (21, 20, False), (20, 21, False)])
def test_where_help_is_open_few_answers_may_change(validation: int, filed: int, little: bool) -> None:
    assert changes_little(np.arange(1000) < validation, np.arange(400) < filed) is little
