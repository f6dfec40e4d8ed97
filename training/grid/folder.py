"""The folder of a grid. It stores which grid it belongs to, and refuses another grid.

OUTPUT/grid.json      the grid, and the outcome of each cell
OUTPUT/recipe.toml    the grid as a recipe with every setting
OUTPUT/recipes/       the recipe of each cell
OUTPUT/CELL/          the run of each cell
OUTPUT/grid.html, grid.csv, figures/    the comparison
"""

import json
from pathlib import Path
from typing import Any

from common.publish import publish_bytes
from training.errors import RunError, TrainingError
from training.grid.plan import Cell
from training.output import check_output
from training.recipe.recipe_file import Grid
from training.recipe.settings import flatten, toml_literal
from training.resume.same_training import differing_settings, flat_settings
from training.run import MANIFEST, RECIPE, Run, load_run

FORMAT = 1
GRID, RECIPES = "grid.json", "recipes"


def grid_identity(grid: Grid) -> dict[str, Any]:
    """The settings that identify a grid, in plain values."""
    value = {"recipe": flat_settings(grid.recipe), "grid": {key: list(values) for key, values in grid.axes.items()}}
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def check_grid(output: Path, dataset: Path | None, grid: Grid, restart: bool) -> None:
    """Raise TrainingError unless `output` is new, empty, or belongs to the same grid.

    Args:
        restart: allow the folder of another grid. Its finished runs are kept if they fit this grid.
    """
    rests = [entry.name for entry in output.iterdir() if entry.name.endswith(".part")] if output.is_dir() else []
    if not (output / GRID).is_file():
        check_output(output, dataset, rests)
        return
    check_output(output, dataset, [entry.name for entry in output.iterdir()])
    there, now = _read(output / GRID), grid_identity(grid)
    differs = differing_settings(_flat_identity(there), _flat_identity(now))
    if differs and not restart:
        raise TrainingError(
            f"{output} holds another grid ({differs}). To resume it, pass its recipe (--recipe {output / RECIPE}). To"
            " train this grid, pass another --output. Or pass --restart to replace the other grid; finished runs that"
            " fit this grid are kept."
        )


def _flat_identity(value: dict[str, Any]) -> dict[str, Any]:
    return {**value["recipe"], **{f"grid.{key}": values for key, values in value["grid"].items()}}


def _read(file: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if value["format"] != FORMAT or not isinstance(value["recipe"], dict) or not isinstance(value["grid"], dict):
            raise ValueError("it is of another format")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{file} cannot be used: {error}. Pass another --output, or move the folder away."
        ) from error
    return value


def write_recipes(output: Path, grid: Grid, cells: tuple[Cell, ...]) -> None:
    """Write the recipe of the grid and of each cell, and remove temporary files that a kill left.

    Raises:
        OSError: the folder cannot be written.
    """
    (output / RECIPES).mkdir(parents=True, exist_ok=True)
    for folder in (output, output / RECIPES):
        for rest in folder.glob(".*.part"):
            rest.unlink(missing_ok=True)
    axes = "".join(f'"{key}" = {toml_literal(list(values))}\n' for key, values in grid.axes.items())
    publish_bytes(output / RECIPE, f"{grid.recipe.to_toml()}\n[grid]\n{axes}".encode())
    for cell in cells:
        publish_bytes(recipe_file(output, cell), cell.recipe.to_toml().encode())


def recipe_file(output: Path, cell: Cell) -> Path:
    """Path of the recipe of a cell."""
    return output / RECIPES / f"{cell.name}.toml"


def finished_run(output: Path, cell: Cell) -> Run | None:
    """The run of a cell; None if it is unfinished or damaged (`read_outcome` reports that).

    Raises:
        TrainingError: the run was trained with another recipe.
    """
    if not (output / cell.name / MANIFEST).is_file():
        return None
    try:
        run = load_run(output / cell.name)
    except RunError:
        return None
    now: dict[str, Any] = json.loads(json.dumps(flat_settings(cell.recipe)))
    differs = differing_settings(flatten(run.recipe), now)
    if differs:
        raise TrainingError(f"{run.path} is a finished run of another recipe ({differs}). {RUNS_ARE_KEPT}")
    return run


RUNS_ARE_KEPT = "Finished runs are never overwritten: pass another --output, or move that folder away."
