"""Figures of audits: intervals against known values, weights, and how many answers part two models."""

from itertools import pairwise

import pytest

from daemon.ledger.audits.interval import Share, Stratum, are_apart, share_of, size_that_parts, wilson


@pytest.mark.parametrize(
    ("right", "answers", "low", "high"),
    [
        (47, 50, 0.837829, 0.979385),
        (10, 10, 0.722467, 1.0),
        (0, 20, 0.0, 0.161125),
        (50, 100, 0.403832, 0.596168),
    ],
)
def test_the_interval_is_wilsons(right: int, answers: int, low: float, high: float) -> None:
    """The known values are those of `scipy.stats.binomtest`, which is not installed beside the daemon."""
    assert wilson(right / answers, answers) == pytest.approx((low, high), abs=1e-6)


def test_a_stratum_weighs_as_many_photos_as_it_has() -> None:
    share = share_of([Stratum(90, 10, 10), Stratum(10, 10, 0)])
    assert share.value == pytest.approx(0.9)
    assert share.effective == pytest.approx(1 / (0.81 / 10 + 0.01 / 10))
    assert (share.low, share.high) == wilson(0.9, share.effective)


def test_strata_in_proportion_tell_as_much_as_one_sample() -> None:
    share = share_of([Stratum(20, 30, 29), Stratum(20, 20, 18)])
    assert (share.value, share.effective) == pytest.approx((47 / 50, 50))


def test_nothing_is_known_without_an_answer() -> None:
    assert share_of([Stratum(100, 0, 0)]) == Share(0.0, 0.0, 1.0, 0.0)
    known = share_of([Stratum(100, 0, 0), Stratum(12.5, 4, 3)])
    assert (known.value, known.effective) == pytest.approx((0.75, 4))


def test_so_many_answers_part_two_models_and_one_less_does_not() -> None:
    one, other = Share(0.93, *wilson(0.93, 50), 50), Share(0.9, *wilson(0.9, 400), 400)
    assert not are_apart(one, other)
    size = size_that_parts(one, other)
    assert size is not None
    parts = [are_apart(*(share.at(max(share.effective, n)) for share in (one, other))) for n in (size - 1, size)]
    assert parts == [False, True]


def test_equal_shares_never_part() -> None:
    one = Share(0.9, *wilson(0.9, 50), 50)
    assert size_that_parts(one, one.at(80)) is None


def test_more_answers_narrow_the_interval() -> None:
    widths = [high - low for low, high in (wilson(0.93, n) for n in (10, 50, 250))]
    assert all(later < earlier for earlier, later in pairwise(widths))
