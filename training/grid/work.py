"""Train a grid: one cell after the other, each in a process of its own, and go on where a kill came between."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contract.errors import PhototriageError
from contract.text import printable
from training.dataset.prepare import prepare
from training.errors import TrainingError
from training.grid.child import run_child
from training.grid.folder import KEPT, check_grid, finished_run, recipe_file, write_recipes
from training.grid.outcome import Outcome, State, look
from training.grid.pictures import write_pictures
from training.grid.plan import Cell, plan
from training.grid.results import Results, results_of
from training.grid.show import show
from training.grid.write import PAGE, write_results
from training.progress import Reporter, duration
from training.recipe.recipe_file import Grid
from training.report.adapters import report_of_run
from training.report.write import REPORT, unwritable, write_report
from training.resume.unfinished import claimed
from training.run import MANIFEST, load_run

PROGRAM = (sys.executable, "-m", "phototriage")


def run_grid(
    dataset: Path,
    output: Path,
    grid: Grid,
    test: Path | None,
    reporter: Reporter,
    restart: bool = False,
    program: Sequence[str] = PROGRAM,
) -> Results:
    """Train every cell of a grid into a folder of its own in `output`, and compare them.

    Finished cells are left alone, unfinished ones go on from their checkpoints, and one that fails holds up no other.

    Args:
        dataset, test, restart: as in training.pipeline.train_run; `restart` begins unfinished cells anew.
        output: a folder that is not there yet, or empty, or was begun by this grid.
        program: the command that a cell's `train` is given to.

    Raises:
        PhototriageError: one sentence on what was wrong. What is done so far is kept, and the same command goes on.
        KeyboardInterrupt: Ctrl-C; the cell under way keeps its last whole epoch.
    """
    cells = plan(grid)
    check_grid(output, dataset, grid, restart)
    _check_photos(dataset, output, test, cells, reporter)
    more = [*(("--test", str(test)) if test else ()), *(("--restart",) if restart else ())]

    def train(cell: Cell) -> str:
        places = [str(dataset), "--recipe", str(recipe_file(output, cell)), "--output", str(output / cell.name)]
        return run_child([*program, "train", *places, *more])

    try:
        with claimed(output):
            check_grid(output, dataset, grid, restart)  # again: another process may have begun there
            write_recipes(output, grid, cells)
            _complete(output, cells, reporter)
            results = _train_all(output, grid, cells, train, reporter)
            _compare(results, reporter)
    except OSError as error:
        raise TrainingError(unwritable(output, error)) from error
    except KeyboardInterrupt:
        reporter.say(f"Stopped. What is done is kept in {printable(output)}: the same command goes on from there.")
        raise
    _end(results)
    return results


def _check_photos(dataset: Path, output: Path, test: Path | None, cells: Sequence[Cell], reporter: Reporter) -> None:
    """Look at the photos once, before any training: whether there are any, and whether finished cells had the same.

    What is decoded here is what the trainings find in the cache.
    """
    known: dict[object, str] = {}
    for cell in cells:
        run = finished_run(output, cell)
        if known and run is None:
            continue
        sides = (cell.recipe.seed, cell.recipe.validation, cell.recipe.input.geometry, cell.recipe.input.size_px)
        if sides not in known:
            known[sides] = prepare(dataset, test, cell.recipe, reporter).data_hash()
        if run is not None and run.data_hash != known[sides]:
            raise TrainingError(f"{run.path} is a finished run on other photos than those of {dataset}. {KEPT}")


def _train_all(
    output: Path, grid: Grid, cells: Sequence[Cell], train: Callable[[Cell], str], reporter: Reporter
) -> Results:
    outcomes = {cell.name: look(output, cell) for cell in cells}
    waiting = [cell for cell in cells if outcomes[cell.name].state in (State.WAITING, State.UNFINISHED)]
    results = results_of(output, grid, outcomes.values())
    write_results(results)
    _tell_plan(output, outcomes, len(waiting), reporter)
    started = time.monotonic()
    for done, cell in enumerate(waiting):
        left = f", about {duration((time.monotonic() - started) / done * (len(waiting) - done))} left" if done else ""
        reporter.say(f"Cell {cells.index(cell) + 1} of {len(cells)}: {cell.name}{left}.")
        reason = train(cell)
        if reason:
            reporter.say(f"Cell {cell.name} failed: {reason}")
        outcomes[cell.name] = look(output, cell, reason)
        results = results_of(output, grid, outcomes.values())
        write_results(results)
    return results


def _complete(output: Path, cells: Sequence[Cell], reporter: Reporter) -> None:
    """Write the reports that a kill came before: the runs themselves were finished."""
    for cell in cells:
        folder = output / cell.name
        if (folder / MANIFEST).is_file() and not (folder / REPORT).is_file():
            try:
                write_report(folder, report_of_run(load_run(folder)))
            except PhototriageError as error:
                reporter.say(str(error))


def _compare(results: Results, reporter: Reporter) -> None:
    write_pictures(results)
    show(results, reporter)
    if results.best is not None:
        reporter.say(f"The comparison is {printable(results.folder / PAGE)}.")
        best = printable(results.folder / results.best.cell.name)
        reporter.say(f"Next: phototriage convert {best} --output model.onnx")


def _tell_plan(output: Path, outcomes: dict[str, Outcome], waiting: int, reporter: Reporter) -> None:
    done = sum(outcome.state is State.FINISHED for outcome in outcomes.values())
    kept = f", {done} of them finished already" if done else ""
    reporter.say(f"A grid of {len(outcomes)} cells{kept}; {waiting} to train, one at a time, into {printable(output)}.")


def _end(results: Results) -> None:
    if results.failed:
        names = ", ".join(outcome.cell.name for outcome in results.failed)
        counts = f"{len(results.failed)} of {len(results.outcomes)} cells failed"
        raise TrainingError(f"{counts}: {names}. The same command tries them again.")
