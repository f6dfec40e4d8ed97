"""Before a training its time is said: from what the recipe does, and from speeds that a short probe measured."""

from pathlib import Path

import pytest

from common.drawing import draw_scene
from contract.geometry import Geometry
from training.estimate import (
    Counts,
    Speeds,
    Work,
    guessed,
    planned,
    planned_on_features,
    probe_decoding,
    probe_network,
    sentence,
)
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import recipe_of
from training.recipe.recipe_file import load_recipe

COUNTS = Counts(train=1000, val=200, test=100, undecoded=2000)
SPEEDS = Speeds(decode=100, features=50, answer=100, head=40, tune=10)


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
        "decoding": 20,
        "head": recipe.head.epochs * (1000 / 40 + 200 / 100),
        "fine-tuning": pytest.approx(recipe.fine_tune.epochs * (1000 * (6 / 17 / 10 + 11 / 17 / 40) + 200 / 100)),
        "measuring": 3,
    }


def test_the_regression_on_features_takes_one_pass_and_what_is_tuned() -> None:
    times = {work.name: work.seconds for work in planned_on_features(COUNTS, SPEEDS, tuned=3200)}
    assert times == {"decoding": 20, "features": 26, "fine-tuning": 320, "features of the tuned network": 13}
    assert sum(work.seconds for work in planned_on_features(COUNTS, SPEEDS, tuned=0)) == 46


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_guess_grows_with_cores_and_falls_with_pixels(backbone: str) -> None:
    small, large = (recipe_of({"backbone": backbone, "input": {"size_px": size}}) for size in (160, 320))
    assert guessed(small, 4, 1).features == pytest.approx(4 * guessed(small, 1, 1).features)
    assert guessed(small, 4, 1).tune == guessed(small, 1, 1).tune
    assert guessed(small, 1, 1).answer == pytest.approx(4 * guessed(large, 1, 1).answer)


def test_decoding_is_measured_on_a_few_photos_and_a_cached_dataset_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = [tmp_path / f"{number:02d}.jpg" for number in range(40)]
    for number, path in enumerate(paths):
        draw_scene("sea", number, (24, 20)).save(path)
    clock = iter((0.0, 2.0, 5.0, 6.0)).__next__
    assert probe_decoding(paths, Geometry("stretch", 32), SPEEDS, clock) == (1.0, Speeds(8, 50, 100, 40, 10))
    assert probe_decoding(paths, Geometry("stretch", 32), SPEEDS, clock) == (0.0, SPEEDS)


def test_the_first_step_which_builds_the_graph_is_not_counted() -> None:
    seen: list[float] = []
    assert probe_network(lambda: seen.append(0), 32, iter((10.0, 10.5)).__next__) == 64
    assert len(seen) == 2
