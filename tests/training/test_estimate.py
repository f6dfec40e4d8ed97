"""Before a training its time is said: from what the recipe does, and from speeds that were measured."""

import pytest

from training.estimate import (
    Counts,
    Speeds,
    Work,
    guessed,
    planned,
    planned_on_features,
    sentence,
)
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import Recipe, recipe_of
from training.recipe.recipe_file import load_recipe

COUNTS = Counts(train=1000, val=200, test=100)
SPEEDS = Speeds(features=50, regression=100, tail=200, answer=100, head=40, tune=10)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ((2, 1), "This takes a few seconds."),
        ((20, 25, 1), "This takes about 45 s (a 20 s, b 25 s)."),
        ((20, 25, 0, 200), "This takes about 4 min (a 20 s, b 25 s, d 3 min)."),
        ((600, 8400), "This takes about 2.5 h (a 10 min, b 2.5 h)."),
    ],
)
def test_the_time_is_rounded_and_stages_of_no_time_are_left_out(seconds: tuple[float, ...], words: str) -> None:
    assert sentence([Work(name, time) for name, time in zip("abcd", seconds, strict=False)]) == words


def test_early_stopping_makes_it_the_most_that_it_may_take() -> None:
    assert sentence([Work("head", 120)], at_most=True) == "This takes at most about 2 min (head 2 min)."


def test_a_classic_recipe_takes_its_epochs_times_its_photos() -> None:
    """Sixty layers are about 6 of 17 blocks."""
    recipe = load_recipe("two-phase")
    times = {work.name: work.seconds for work in planned(recipe, COUNTS, SPEEDS)}
    assert times == {
        "head": recipe.head.epochs * (1000 / 40 + 200 / 100),
        "fine-tuning": pytest.approx(recipe.fine_tune.epochs * (1000 * (6 / 17 / 10 + 11 / 17 / 40) + 200 / 100)),
        "measuring": 3,
    }


def test_the_default_tunes_once_with_validation_photos_and_once_more_for_each_fold_without() -> None:
    default = Recipe()  # 4 epochs are fewer than 300 steps of 32 photos: 10 epochs of 31 steps
    times = {work.name: work.seconds for work in planned_on_features(default, COUNTS, SPEEDS)}
    tuning = 10 + 10 * (1000 / 200 + 200 / 100)
    assert times == {"features": 26, "regression": 10, "fine-tuning": tuning, "its features and regression": 23}
    folded = planned_on_features(default, Counts(train=1000, val=0), SPEEDS)[2]
    assert folded.seconds == 4 * (10 + 10 * 1000 / 200)
    assert len(planned_on_features(default, Counts(train=100, val=0), SPEEDS)) == 2  # too few to tune on
    assert len(planned_on_features(default.with_options({"fine_tune.epochs": 0}), COUNTS, SPEEDS)) == 2


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_guess_grows_with_cores_and_falls_with_pixels(backbone: str) -> None:
    small, large = (recipe_of({"backbone": backbone, "input": {"size_px": size}}) for size in (160, 320))
    assert guessed(small, 4).features == pytest.approx(4 * guessed(small, 1).features)
    assert guessed(small, 4).tail == guessed(small, 1).tail  # TensorFlow computes in one thread
    assert guessed(small, 1).answer == pytest.approx(4 * guessed(large, 1).answer)
