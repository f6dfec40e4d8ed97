"""The plan of a grid: its cells, each with a name and a whole recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import RecipeError
from training.grid.names import cell_names, shown
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import Grid

MOST = 1000


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        options: the settings that the grid gives it, by name.
        recipe: all of its settings.
    """

    name: str
    options: Mapping[str, Any]
    recipe: Recipe


def plan_cells(grid: Grid) -> tuple[Cell, ...]:
    """The cells of a grid, in its order.

    Raises:
        RecipeError: the grid has more than a thousand cells, or lists a value twice.
    """
    number = 1
    for values in grid.axes.values():
        number *= len(values)
    if number > MOST:
        raise RecipeError(f"The grid has {number:,} cells, but at most {MOST:,} are allowed. Remove some values.")
    for key, values in grid.axes.items():
        twice = [value for place, value in enumerate(values) if value in values[:place]]
        if twice:
            raise RecipeError(f"The grid lists {shown(twice[0])} twice for {key}. Remove one of them.")
    options = list(grid.cells())
    names = cell_names(grid.axes, options)
    return tuple(
        Cell(name, option, grid.recipe.with_options(option)) for name, option in zip(names, options, strict=True)
    )
