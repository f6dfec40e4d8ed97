"""A recipe is found by its file or by its name; a file may hold a grid, each cell of which is checked."""

from pathlib import Path

import pytest

from training.errors import RecipeError
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import Grid, load_recipe, load_recipe_or_grid, shipped_recipes
from training.recipe.settings import parse_setting

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


def test_a_grid_is_no_single_recipe(tmp_path: Path) -> None:
    grid(tmp_path)
    with pytest.raises(RecipeError, match="grid of recipes"):
        load_recipe(tmp_path / "grid.toml")


def test_a_name_that_is_neither_file_nor_shipped_is_refused_with_those_that_are() -> None:
    with pytest.raises(RecipeError) as error:
        load_recipe("defualt")
    assert all(name in str(error.value) for name in ("defualt", *shipped_recipes()))
