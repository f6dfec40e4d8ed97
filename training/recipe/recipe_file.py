"""Recipe files: shipped recipes by name, and files of the user. A file may hold a grid of recipes."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from training.errors import RecipeError
from training.recipe.idle import FORMER
from training.recipe.recipe import Recipe
from training.recipe.settings import flatten

SHIPPED = Path(__file__).parents[1] / "recipes"


@dataclass(frozen=True)
class Grid:
    """A set of recipes that differ in a few settings.

    Attributes:
        recipe: what they have in common.
        axes: for each setting that differs, its values in order.
    """

    recipe: Recipe
    axes: Mapping[str, tuple[Any, ...]]

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield the options of each recipe, for `recipe.with_options`; the last axis changes fastest."""
        for values in product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def with_options(self, options: Mapping[str, Any]) -> "Grid":
        """The grid with some settings replaced; a replaced axis becomes a fixed setting.

        Raises:
            RecipeError: a key is unknown, or a value is of another type or out of range, in any of the recipes.
        """
        given = {key: value for key, value in options.items() if value is not None}
        axes = {key: values for key, values in self.axes.items() if key not in given}
        return _with_valid_cells(replace(self, recipe=self.recipe.with_options(given), axes=axes))


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that ship with the package."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.toml")))


def load_recipe(source: Path | str) -> Recipe:
    """Read a recipe: a TOML file, or the name of a shipped recipe. Missing settings keep their defaults.

    Raises:
        RecipeError: the recipe does not exist, cannot be read, is not TOML, has an unknown key or a value out of range,
            or is a grid.
    """
    found = load_recipe_or_grid(source)
    if isinstance(found, Grid):
        raise RecipeError(f"The recipe {source} is a grid of recipes. Pass a single recipe here.")
    return found


def load_recipe_or_grid(source: Path | str, say: Callable[[str], None] = lambda _: None) -> Recipe | Grid:
    """Read a recipe, or a grid if the file has a table `grid`; raises as `load_recipe` does.

    Args:
        say: reports settings of earlier versions, which are ignored.
    """
    file = _recipe_path(source)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"The recipe {file} cannot be read: {error}") from error
    try:
        axes = table.pop("grid", None)
        settings = flatten(table)
        for key in [key for key in settings if key in FORMER]:
            del settings[key]
            say(f"{file}: the setting {key} of an earlier version is ignored. Set {FORMER[key]} instead.")
        recipe = Recipe().with_options(settings)
        return recipe if axes is None else _with_valid_cells(Grid(recipe, _axes(axes)))
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from error


def _recipe_path(source: Path | str) -> Path:
    """The recipe file. An existing file takes precedence over a shipped recipe of that name."""
    file = Path(source)
    if file.is_file():
        return file
    if str(source) in shipped_recipes():
        return SHIPPED / f"{source}.toml"
    raise RecipeError(
        f"The recipe {source} cannot be read: no such file exists, and no recipe of that name is shipped. Shipped"
        f" recipes are: {', '.join(shipped_recipes())}."
    )


def _axes(table: Any) -> dict[str, tuple[Any, ...]]:
    """Values per setting, of a `[grid]` table, whose keys may be dotted or quoted."""
    if not isinstance(table, dict) or not table:
        raise RecipeError('The table [grid] is empty. Add settings with lists of values, such as "seed" = [0, 1, 2].')
    axes = {}
    for key, values in flatten(table).items():
        if not isinstance(values, list) or not values:
            raise RecipeError(f"The setting {key} of the grid is {values!r}. Pass a list of values.")
        axes[key] = tuple(values)
    return axes


def _with_valid_cells(grid: Grid) -> Grid:
    """Return the grid after checking each of its recipes."""
    for cell in grid.cells():
        grid.recipe.with_options(cell)
    return grid
