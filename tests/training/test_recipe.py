"""A recipe takes known settings within their range, refuses the rest by name, and survives the way through a file."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from training.errors import RecipeError
from training.recipe.augmentation import Augmentation
from training.recipe.learning import FineTune, Head
from training.recipe.recipe import Input, Network, Recipe, Results, recipe_of
from training.recipe.recipe_file import load_recipe
from training.recipe.settings import known_keys

ODD = Recipe(
    seed=7,
    backbone="Xception",
    weights="none",
    validation=0.25,
    precision=0.9,
    monitor="loss",
    input=Input("letterbox", 96, "unit"),
    network=Network((512, 64), 0.4, True, 1e-4, True),
    head=Head("photos", 3, 9, 16, "adam", 0.002, 0.0, "plateau", 0.1, 4, 0.5, 6),
    fine_tune=FineTune("3 blocks", 4, 1.0, 8, "sgd", 1e-4, 0.0, "constant", 0.03, 5, 0.3, 0.2, "frozen", 0.9, 0.0, 3),
    augmentation=Augmentation(crop=0.9, aspect=0.1, shift=0.05, rotation_deg=5.0, shear_deg=2.0, flip=True),
    results=Results(True, True, True),
)


@pytest.mark.parametrize("recipe", [Recipe(), ODD], ids=["default", "odd"])
def test_a_recipe_comes_back_from_its_file_as_it_was(tmp_path: Path, recipe: Recipe) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(recipe.to_toml())
    assert load_recipe(file) == recipe


def test_a_recipe_comes_back_from_a_manifest_as_it_was() -> None:
    assert recipe_of(json.loads(json.dumps(asdict(ODD)))) == ODD


def test_every_setting_is_in_the_documentation(root: Path) -> None:
    text = (root / "docs" / "training.md").read_text(encoding="utf-8")
    table = text[text.index("## Settings") : text.index("## Measuring")]
    for key in known_keys(Recipe()):
        section, _, name = key.rpartition(".")
        rows = [line for line in table.splitlines() if f"`{key}`" in line or f"`{section}." in line]
        assert any(f"`{key}`" in row or f"`.{name}`" in row for row in rows), key


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
        (
            "[fine_tune]\nepoch = 3",
            "'fine_tune.epoch' does not exist. Did you mean fine_tune.epochs? Known are: seed, ",
        ),
        ("[finetune]\nepochs = 3", "'finetune.epochs' does not exist. Did you mean fine_tune.epochs?"),
        ("[finetune]", "'finetune' does not exist"),
        ("input = 3", "'input' does not exist"),
        ("[seed]\nvalue = 3", "'seed.value' does not exist"),
        ("seed = true", "seed is True. Pass int"),
        ("seed = -1", "seed is -1, but must be from 0"),
        ("[fine_tune]\nepochs = 1.5", "fine_tune.epochs is 1.5. Pass int"),
        ("[fine_tune]\nlearning_rate = nan", "fine_tune.learning_rate is nan"),
        ("[fine_tune]\nbatch_norm = 'off'", "Pass 'train' or 'frozen'"),
        ("[fine_tune]\nunfreeze = -1", "a number of layers"),
        ("[fine_tune]\nunfreeze = 'some'", "fine_tune.unfreeze is 'some'"),
        ("[fine_tune]\nunfreeze = '0 blocks'", "fine_tune.unfreeze is '0 blocks'"),
        ("[fine_tune]\nunfreeze = 1.5", "fine_tune.unfreeze is 1.5. Pass int or str"),
        ("[fine_tune]\noptimizer = 'adam'", "fine_tune.weight_decay is 0.05, but adam has no weight decay"),
        ("[head]\noptimizer = 'sgd'", "head.weight_decay is 0.05, but sgd has no weight decay"),
        ("[head]\nepochs = 0\n[fine_tune]\nepochs = 0", "nothing would learn"),
        ("[head]\ndropout = 0.1", "Did you mean network.dropout?"),
        ("[network]\nhidden = 512", "network.hidden is 512. Pass a list of int"),
        ("[network]\nhidden = [512, 'a']", "network.hidden is 'a'. Pass int"),
        ("[network]\nhidden = [0]", "network.hidden is 0, but must be from 1"),
        ("backbone = 'AlexNet'", "Pass 'MobileNetV2' or 'EfficientNetB0'"),
        ("[augmentation]\nflip = 1", "augmentation.flip is 1. Pass bool"),
        ("[input]\ngeometry = 'crop'", "Pass 'stretch' or 'letterbox'"),
        ("[input]\nsize_px = 16", "input.size_px is 16, but must be from 32 to 1024"),
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


@pytest.mark.parametrize(
    ("unfreeze", "blocks"), [("all", None), (0, None), (60, None), ("1 block", 1), ("12 blocks", 12)]
)
def test_layers_blocks_or_all_can_be_unfrozen(unfreeze: Any, blocks: int | None) -> None:
    recipe = Recipe().with_options({"fine_tune.unfreeze": unfreeze})
    assert (recipe.fine_tune.unfreeze, recipe.fine_tune.blocks) == (unfreeze, blocks)


def test_settings_that_agree_only_together_are_taken_together() -> None:
    recipe = Recipe().with_options({"fine_tune.optimizer": "adam", "fine_tune.weight_decay": 0})
    assert (recipe.fine_tune.optimizer, recipe.fine_tune.weight_decay) == ("adam", 0.0)


@pytest.mark.parametrize(
    ("options", "size_px"),
    [
        ({}, 128),
        ({"fine_tune.scale": 1}, 160),
        ({"fine_tune.epochs": 0}, 160),
        ({"fine_tune.epochs": 0, "head.on": "photos"}, 128),
    ],
)
def test_photos_are_trained_on_at_the_scaled_size_if_at_all(options: dict[str, Any], size_px: int) -> None:
    assert Recipe().with_options(options).training_px == size_px


def test_options_win_over_a_recipe_and_absent_ones_leave_it() -> None:
    changed = ODD.with_options({"fine_tune.epochs": 9, "seed": None, "input.size_px": 80})
    assert changed == replace(ODD, fine_tune=replace(ODD.fine_tune, epochs=9), input=replace(ODD.input, size_px=80))


@pytest.mark.parametrize(("key", "value"), [("seed", -1), ("fine_tune.epochs", -1), ("input.size_px", 5000)])
def test_options_are_held_to_the_same_ranges(key: str, value: int) -> None:
    with pytest.raises(RecipeError, match=key):
        Recipe().with_options({key: value})
