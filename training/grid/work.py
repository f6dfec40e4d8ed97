"""Train a grid: one cell after the other, each in a child process. A killed grid resumes."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from common.errors import PhototriageError
from common.packages import keras_backend
from common.text import printable
from training.dataset.prepare import prepare
from training.errors import TrainingError
from training.grid.child import run_child
from training.grid.folder import RUNS_ARE_KEPT, check_grid, finished_run, recipe_file, write_recipes
from training.grid.outcome import CellOutcome, CellState, read_outcome
from training.grid.plan import Cell, plan_cells
from training.grid.results import GridResults, results_of
from training.grid.show import show
from training.grid.write import PAGE, write_figures, write_results
from training.pipeline import described_by, hold_out_from
from training.progress import Reporter, duration
from training.recipe.pseudo import check_unlabelled
from training.recipe.recipe_file import Grid
from training.report.adapters import report_of_run
from training.report.write import REPORT, unwritable, write_report
from training.resume.timer import Timer
from training.resume.unfinished import output_lock
from training.run import MANIFEST, Run, load_run

PROGRAM = (sys.executable, "-m", "phototriage")


def run_grid(
    dataset: Path | None,
    output: Path,
    grid: Grid,
    test: Path | None,
    reporter: Reporter,
    restart: bool = False,
    program: Sequence[str] = PROGRAM,
    groups: Path | None = None,
    labels: Path | None = None,
    unlabelled: Path | None = None,
) -> GridResults:
    """Train every cell of a grid into a folder of its own in `output`, and compare them.

    Finished cells are kept, unfinished cells resume from their checkpoints, and a failed cell does not stop the others.

    Args:
        dataset, test, restart, groups, labels, unlabelled: as in training.pipeline.train_run; `restart` starts
            unfinished cells from the beginning.
        output: a folder that is new, empty, or belongs to this grid.
        program: the command that runs `train` for a cell.

    Raises:
        PhototriageError: the grid cannot be trained. Results so far are kept, and the same command resumes.
        KeyboardInterrupt: Ctrl-C; the running cell keeps its last complete epoch.
    """
    cells = plan_cells(grid)
    for cell in cells:
        check_unlabelled(cell.recipe.pseudo_labels, unlabelled, keras_backend())
    check_grid(output, dataset, grid, restart)
    _check_photos(dataset, output, test, cells, reporter, (groups, labels, unlabelled))
    photos = [] if dataset is None else [str(dataset)]
    options = (("--test", test), ("--groups", groups), ("--labels", labels), ("--unlabelled", unlabelled))
    more = [text for name, path in options if path is not None for text in (name, str(path))]
    more += [*(("--restart",) if restart else ()), "--cell"]

    def train(cell: Cell) -> str:
        places = [*photos, "--recipe", str(recipe_file(output, cell)), "--output", str(output / cell.name)]
        return run_child([*program, "train", *places, *more])

    try:
        with output_lock(output):
            check_grid(output, dataset, grid, restart)  # again: another process may have started there meanwhile
            write_recipes(output, grid, cells)
            _write_missing_reports(output, cells, reporter)
            results = _train_all(output, grid, cells, train, reporter)
            _write_comparison(results, reporter)
    except OSError as error:
        raise TrainingError(unwritable(output, error)) from error
    except KeyboardInterrupt:
        reporter.say(f"Stopped. Results so far are kept in {printable(output)}. The same command resumes from there.")
        raise
    _raise_failures(results)
    return results


def _check_photos(
    dataset: Path | None,
    output: Path,
    test: Path | None,
    cells: Sequence[Cell],
    reporter: Reporter,
    files: tuple[Path | None, Path | None, Path | None],
) -> None:
    """Check the photos before any training: whether there are any, and whether finished cells used the same ones, and
    the same groups.

    The trainings find the photos decoded here in the cache.

    Args:
        files: of groups, of labels, and the folder of photos without labels.
    """
    known: dict[object, tuple[str, str]] = {}
    for cell in cells:
        run = finished_run(output, cell)
        if known and run is None:
            continue
        recipe, least = cell.recipe, hold_out_from(cell.recipe)  # `least` says whether photos are described, too
        sides = (recipe.seed, recipe.validation, recipe.input.geometry, recipe.input.size_px, least)
        if sides not in known:
            describe = described_by(recipe, reporter, Timer())
            now = prepare(dataset, test, recipe, reporter, least, describe, *files)
            known[sides] = now.data_hash(), now.named.sha256 if now.named else ""
        if run is not None:
            _check_run(run, *known[sides], dataset)


def _check_run(run: Run, data_hash: str, groups_hash: str, dataset: Path | None) -> None:
    if run.data_hash != data_hash:
        these = "these labels" if dataset is None else dataset
        raise TrainingError(f"{run.path} is a finished run on other photos than those of {these}. {RUNS_ARE_KEPT}")
    if run.manifest["dataset"].get("groups", {}).get("sha256", "") != groups_hash:
        raise TrainingError(f"{run.path} is a finished run with other groups (--groups). {RUNS_ARE_KEPT}")


def _train_all(
    output: Path, grid: Grid, cells: Sequence[Cell], train: Callable[[Cell], str], reporter: Reporter
) -> GridResults:
    outcomes = {cell.name: read_outcome(output, cell) for cell in cells}
    waiting = [cell for cell in cells if outcomes[cell.name].state in (CellState.WAITING, CellState.UNFINISHED)]
    results = results_of(output, grid, outcomes.values())
    write_results(results)
    _report_plan(output, outcomes, len(waiting), reporter)
    started = time.monotonic()
    for done, cell in enumerate(waiting):
        left = f", about {duration((time.monotonic() - started) / done * (len(waiting) - done))} left" if done else ""
        reporter.say(f"Cell {cells.index(cell) + 1} of {len(cells)}: {cell.name}{left}.")
        reason = train(cell)
        if reason:
            reporter.say(f"Cell {cell.name} failed: {reason}")
        outcomes[cell.name] = read_outcome(output, cell, reason)
        results = results_of(output, grid, outcomes.values())
        write_results(results)
    return results


def _write_missing_reports(output: Path, cells: Sequence[Cell], reporter: Reporter) -> None:
    """Write reports of finished runs that a kill prevented."""
    for cell in cells:
        folder = output / cell.name
        if (folder / MANIFEST).is_file() and not (folder / REPORT).is_file():
            try:
                write_report(folder, report_of_run(load_run(folder)))
            except PhototriageError as error:
                reporter.say(str(error))


def _write_comparison(results: GridResults, reporter: Reporter) -> None:
    write_figures(results)
    show(results, reporter)
    if results.best is not None:
        reporter.say(f"The comparison is {printable(results.folder / PAGE)}.")
        best = printable(results.folder / results.best.cell.name)
        reporter.say(f"Next: phototriage convert {best} --output model.onnx")


def _report_plan(output: Path, outcomes: dict[str, CellOutcome], waiting: int, reporter: Reporter) -> None:
    done = sum(outcome.state is CellState.FINISHED for outcome in outcomes.values())
    kept = f", {done} of them finished already" if done else ""
    reporter.say(f"A grid of {len(outcomes)} cells{kept}; {waiting} to train, one at a time, into {printable(output)}.")


def _raise_failures(results: GridResults) -> None:
    if results.failed:
        names = ", ".join(outcome.cell.name for outcome in results.failed)
        counts = f"{len(results.failed)} of {len(results.outcomes)} cells failed"
        raise TrainingError(f"{counts}: {names}. The same command retries them.")
