"""A grid's own folder: what grid it is of stands in it from the start, and another one is refused.

OUTPUT/grid.json      what grid it is, and what became of each cell
OUTPUT/recipe.toml    the grid as a recipe, every setting spelled out
OUTPUT/recipes/       the recipe of each cell
OUTPUT/CELL/          the run of each cell
OUTPUT/grid.html, grid.csv, figures/    the comparison
"""

import json
from pathlib import Path
from typing import Any

from contract.publish import publish_bytes
from training.errors import RunError, TrainingError
from training.grid.plan import Cell
from training.output import check_output
from training.recipe.recipe_file import Grid
from training.recipe.settings import flatten, literal
from training.resume.same_training import differing_settings, settings_of
from training.run import MANIFEST, RECIPE, Run, load_run

FORMAT = 1
GRID, RECIPES = "grid.json", "recipes"


def identity(grid: Grid) -> dict[str, Any]:
    """What tells one grid from another, in plain values."""
    value = {"recipe": settings_of(grid.recipe), "grid": {key: list(values) for key, values in grid.axes.items()}}
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def check_grid(output: Path, dataset: Path, grid: Grid, restart: bool) -> None:
    """Raise TrainingError unless `output` is free for this grid: to be made, empty, or begun by the same grid.

    Args:
        restart: also by another one; its finished runs are kept, and must then fit this one.
    """
    rests = [entry.name for entry in output.iterdir() if entry.name.endswith(".part")] if output.is_dir() else []
    if not (output / GRID).is_file():
        check_output(output, dataset, rests)
        return
    check_output(output, dataset, [entry.name for entry in output.iterdir()])
    there, now = _read(output / GRID), identity(grid)
    differs = differing_settings(_told(there), _told(now))
    if differs and not restart:
        raise TrainingError(
            f"{output} holds another grid ({differs}). Go on with it by the same recipe (--recipe {output / RECIPE}),"
            " or choose another --output. With --restart this grid takes its place, and finished runs that fit it are"
            " kept."
        )


def _told(value: dict[str, Any]) -> dict[str, Any]:
    return {**value["recipe"], **{f"grid.{key}": values for key, values in value["grid"].items()}}


def _read(file: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if value["format"] != FORMAT or not isinstance(value["recipe"], dict) or not isinstance(value["grid"], dict):
            raise ValueError("it is of another format")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(
            f"{file} cannot be used: {error}. Choose another --output, or move the file away with the folder."
        ) from error
    return value


def write_recipes(output: Path, grid: Grid, cells: tuple[Cell, ...]) -> None:
    """Write the grid's recipe and the recipe of each cell, and clear away what a kill left half-written.

    Raises:
        OSError: the folder cannot be written.
    """
    (output / RECIPES).mkdir(parents=True, exist_ok=True)
    for folder in (output, output / RECIPES):
        for rest in folder.glob(".*.part"):
            rest.unlink(missing_ok=True)
    axes = "".join(f'"{key}" = {literal(list(values))}\n' for key, values in grid.axes.items())
    publish_bytes(output / RECIPE, f"{grid.recipe.to_toml()}\n[grid]\n{axes}".encode())
    for cell in cells:
        publish_bytes(recipe_file(output, cell), cell.recipe.to_toml().encode())


def recipe_file(output: Path, cell: Cell) -> Path:
    """Where the recipe stands that a cell is trained by."""
    return output / RECIPES / f"{cell.name}.toml"


def finished_run(output: Path, cell: Cell) -> Run | None:
    """The run of a cell, None where it is not finished, or damaged, which its outcome tells.

    Raises:
        TrainingError: it was trained by another recipe.
    """
    if not (output / cell.name / MANIFEST).is_file():
        return None
    try:
        run = load_run(output / cell.name)
    except RunError:
        return None
    now: dict[str, Any] = json.loads(json.dumps(settings_of(cell.recipe)))
    differs = differing_settings(flatten(run.recipe), now)
    if differs:
        raise TrainingError(f"{run.path} is a finished run of another recipe ({differs}). {KEPT}")
    return run


KEPT = "Finished runs are kept: choose another --output, or move that folder away."
