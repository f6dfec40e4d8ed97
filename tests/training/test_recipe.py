"""A recipe takes known settings within their range, refuses the rest by name, and survives the way through a file."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.augment import Augmentation
from training.errors import RecipeError
from training.recipe import FineTune, Head, Input, Recipe, load_recipe

ODD = Recipe(
    seed=7,
    weights="none",
    validation=0.25,
    precision=0.9,
    input=Input("letterbox", 96),
    head=Head(3, 9, 16, 0.002, 0.1),
    fine_tune=FineTune(20, 4, 1.0, 8, 1e-4, 0.03, 0.2, 0.05, 0.4, "frozen", 0.9, 0.0, 3),
    augmentation=Augmentation(0.9, 0.1, 0.05, 5.0, 2.0, True),
)


@pytest.mark.parametrize("recipe", [Recipe(), ODD], ids=["default", "odd"])
def test_a_recipe_comes_back_from_its_file_as_it_was(tmp_path: Path, recipe: Recipe) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml())
    assert load_recipe(file) == recipe


def test_a_file_changes_what_it_names_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text("seed = 3\n[fine_tune]\nlearning_rate = 1\nunfreeze = 30\n")
    recipe = Recipe()
    wanted = replace(recipe, seed=3, fine_tune=replace(recipe.fine_tune, learning_rate=1.0, unfreeze=30))
    assert load_recipe(file) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sead = 3", "'sead' does not exist"),
        ("[fine_tune]\nepoch = 3", "'fine_tune.epoch' does not exist. Known are: seed, "),
        ("[finetune]\nepochs = 3", "'finetune.epochs' does not exist"),
        ("[finetune]", "'finetune' does not exist"),
        ("input = 3", "'input' does not exist"),
        ("[seed]\nvalue = 3", "'seed.value' does not exist"),
        ("seed = true", "seed is True; pass int"),
        ("seed = -1", "seed is -1, and must be from 0"),
        ("[fine_tune]\nepochs = 1.5", "fine_tune.epochs is 1.5; pass int"),
        ("[fine_tune]\nlearning_rate = nan", "fine_tune.learning_rate is nan"),
        ("[fine_tune]\nbatch_norm = 'off'", "pass 'train' or 'frozen'"),
        ("[fine_tune]\nunfreeze = 0", "a number of layers"),
        ("[fine_tune]\nunfreeze = 'some'", "fine_tune.unfreeze is 'some'"),
        ("[augmentation]\nflip = 1", "augmentation.flip is 1; pass bool"),
        ("[input]\ngeometry = 'crop'", "pass 'stretch' or 'letterbox'"),
        ("[input]\nsize_px = 16", "input.size_px is 16, and must be from 32 to 1024"),
        ("seed = ", "cannot be read"),
    ],
)
def test_what_a_recipe_cannot_hold_is_refused_by_name(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(RecipeError) as error:
        load_recipe(file)
    assert sentence in str(error.value)
    assert str(file) in str(error.value)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_options_win_over_a_recipe_and_absent_ones_leave_it() -> None:
    changed = ODD.with_options({"fine_tune.epochs": 9, "seed": None, "input.size_px": 64})
    assert changed == replace(ODD, fine_tune=replace(ODD.fine_tune, epochs=9), input=Input("letterbox", 64))


@pytest.mark.parametrize(("key", "value"), [("seed", -1), ("fine_tune.epochs", -1), ("input.size_px", 5000)])
def test_options_are_held_to_the_same_ranges(key: str, value: int) -> None:
    with pytest.raises(RecipeError, match=key):
        Recipe().with_options({key: value})
