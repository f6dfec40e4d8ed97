"""A recipe is found by its file or by its name; a file may hold a grid, each cell of which is checked."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from training.errors import RecipeError
from training.recipe.idle import without_effect
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import SHIPPED, Grid, load_recipe, load_recipe_or_grid, shipped_recipes
from training.recipe.settings import flatten, parse_setting
from training.resume.same_training import differing_settings, flat_settings

GRID = """
seed = 3
[grid]
"fine_tune.unfreeze" = ["1 blocks", "all"]
network.hidden = [[], [8], [8, 8]]
"""


def grid(folder: Path, text: str = GRID) -> Grid:
    file = folder / "grid.toml"
    file.write_text(text)
    found = load_recipe_or_grid(file)
    assert isinstance(found, Grid)
    return found


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=3", "seed", 3),
        ("fine_tune.scale = 0.5", "fine_tune.scale", 0.5),
        ("network.hidden=[512, 64]", "network.hidden", [512, 64]),
        ("network.sigmoid=true", "network.sigmoid", True),
        ("backbone=VGG16", "backbone", "VGG16"),
        ('backbone="VGG16"', "backbone", "VGG16"),
        ("fine_tune.unfreeze=3 blocks", "fine_tune.unfreeze", "3 blocks"),
        ("backbone=1\nseed=2", "backbone", "1\nseed=2"),
        ("backbone=", "backbone", ""),
    ],
)
def test_a_setting_is_read_as_toml_and_a_bare_word_as_text(text: str, key: str, value: object) -> None:
    assert parse_setting(text) == (key, value)


@pytest.mark.parametrize("text", ["seed", "=3", ""])
def test_what_sets_nothing_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="is not a setting"):
        parse_setting(text)


def test_a_grid_is_every_combination_and_the_last_axis_changes_fastest(tmp_path: Path) -> None:
    found = grid(tmp_path)
    assert found.recipe == Recipe(seed=3)
    hidden: tuple[list[int], ...] = ([], [8], [8, 8])
    assert list(found.cells()) == [
        {"fine_tune.unfreeze": unfreeze, "network.hidden": units}
        for unfreeze in ("1 blocks", "all")
        for units in hidden
    ]


def test_an_option_takes_the_place_of_an_axis(tmp_path: Path) -> None:
    chosen = grid(tmp_path).with_options({"fine_tune.unfreeze": "all", "seed": 4, "weights": None})
    assert chosen.recipe == Recipe(seed=4).with_options({"fine_tune.unfreeze": "all"})
    assert list(chosen.axes) == ["network.hidden"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[grid]\n"seed" = 3', "setting seed of the grid is 3. Pass a list"),
        ('[grid]\n"seed" = []', "Pass a list"),
        ("[grid]", "table \\[grid\\] is empty"),
        ("grid = 3", "table \\[grid\\] is empty"),
        ('[grid]\n"sead" = [3]', "'sead' does not exist"),
        ('[grid]\n"seed" = [3, -1]', "seed is -1"),
        ('[grid]\n"fine_tune.unfreeze" = ["all", "some"]', "unfreeze is 'some'"),
    ],
)
def test_a_grid_with_a_cell_that_is_no_recipe_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        grid(tmp_path, text)


def test_a_setting_of_an_earlier_version_is_ignored_in_a_file_and_said(tmp_path: Path) -> None:
    file, told = tmp_path / "old.toml", list[str]()
    file.write_text("seed = 3\n[fine_tune]\ndropout = 0.4\nepochs = 7\n")
    read = load_recipe_or_grid(file, told.append)
    assert read == Recipe(seed=3).with_options({"fine_tune.epochs": 7})
    assert told == [
        f"{file}: the setting fine_tune.dropout of an earlier version is ignored. Set network.dropout instead."
    ]
    with pytest.raises(RecipeError, match=r"does not exist\. Did you mean network\.dropout"):
        Recipe().with_options({"fine_tune.dropout": 0.4})
    old = {**flat_settings(Recipe()), "fine_tune.dropout": 0.4}
    assert differing_settings(old, flat_settings(Recipe())) == ""


@pytest.mark.parametrize(
    ("changes", "explicit", "told"),
    [
        ({}, (), []),
        ({"head.epochs": 0}, (), []),
        ({"head.epochs": 0}, ("head.patience",), ["head.patience has no effect, because head.epochs is 0"]),
        (
            {"head.epochs": 0, "head.batch_size": 7, "head.warmup": 0.3},
            (),
            ["head.batch_size and head.warmup have no effect, because head.epochs is 0, and are ignored."],
        ),
        ({"fine_tune.epochs": 0, "augmentation.zoom": 0.3}, (), ["augmentation.zoom has no effect, because no stage"]),
        ({"fine_tune.epochs": 0, "head.on": "photos", "augmentation.zoom": 0.3, "fine_tune.scale": 1}, (), []),
        ({"fine_tune.epochs": 0, "fine_tune.scale": 1}, (), ["fine_tune.scale has no effect"]),
        ({"fine_tune.epochs": 0, "network.batch_norm": True, "fine_tune.batch_norm_momentum": 0.5}, (), []),
        ({"head.on": "photos", "head.least_steps": 9}, (), ["head.least_steps has no effect, because head.on is pho"]),
        ({"fine_tune.plateau_factor": 0.5}, (), ["fine_tune.plateau_factor has no effect, because fine_tune.schedule"]),
        ({"fine_tune.plateau_factor": 0.5, "fine_tune.schedule": "plateau"}, (), []),
        ({"head.patience": 5}, ("head.epochs",), ["head.patience has no effect, because the head on features is"]),
        ({"head.patience": 5, "network.hidden": [8]}, (), []),
        ({"head.patience": 5, "fine_tune.unfreeze": "all"}, (), ["head.patience has no effect, because the head on f"]),
        ({"network.dropout": 0.5}, (), []),
        ({"network.dropout": 0.5, "fine_tune.epochs": 0}, (), ["network.dropout has no effect, because the head on f"]),
        ({"monitor": "loss"}, (), ["monitor has no effect, because the last epoch"]),
        ({"monitor": "loss", "fine_tune.patience": 2}, (), []),
        ({"fine_tune.least_steps": 9}, (), []),
        ({"fine_tune.least_steps": 9, "fine_tune.unfreeze": "all"}, (), ["fine_tune.least_steps has no effect"]),
    ],
)
def test_settings_without_effect_are_said(changes: dict[str, Any], explicit: tuple[str, ...], told: list[str]) -> None:
    said = list(without_effect([Recipe().with_options(changes)], explicit))
    assert len(said) == len(told)
    assert all(sentence.startswith(begun) for sentence, begun in zip(said, told, strict=True))


def test_a_setting_has_no_effect_in_a_grid_if_it_has_none_in_any_cell() -> None:
    recipe = Recipe().with_options({"head.batch_size": 7, "network.hidden": [8]})
    none, some = (recipe.with_options({"head.epochs": epochs}) for epochs in (0, 3))
    assert list(without_effect([none, some])) == []
    assert len(list(without_effect([none, none]))) == 1
    assert list(without_effect([recipe])) == []


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_shipped_recipe_has_a_setting_without_effect(name: str) -> None:
    found = load_recipe_or_grid(name)
    cells = [found.recipe.with_options(cell) for cell in found.cells()] if isinstance(found, Grid) else [found]
    text = tomllib.loads((SHIPPED / f"{name}.toml").read_text())
    assert list(without_effect(cells, flatten(text))) == []


def test_a_grid_is_no_single_recipe(tmp_path: Path) -> None:
    grid(tmp_path)
    with pytest.raises(RecipeError, match="grid of recipes"):
        load_recipe(tmp_path / "grid.toml")


def test_a_name_that_is_neither_file_nor_shipped_is_refused_with_those_that_are() -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("defualt")
    assert all(name in str(error.value) for name in ("defualt", *shipped_recipes()))
