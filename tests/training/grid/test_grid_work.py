"""A grid is trained by one command, which goes on after whatever came between, and names what failed."""

import csv
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.grid.support import PARAMETERS
from training.errors import DatasetError, TrainingError
from training.grid.work import run_grid
from training.progress import Reporter
from training.recipe.recipe_file import Grid, load_recipe, load_recipe_or_grid

Make = Callable[..., Path]
Program = tuple[str, ...]
Photos = tuple[Path, Path]
PARENT = """
import sys
from pathlib import Path
from rich.console import Console
from training.grid.work import run_grid
from training.progress import Reporter
from training.recipe.recipe_file import load_recipe_or_grid

dataset, output, grid, *program = sys.argv[1:]
try:
    run_grid(Path(dataset), Path(output), load_recipe_or_grid(Path(grid)), None, Reporter(Console()), program=program)
except KeyboardInterrupt:
    sys.exit(130)
"""


def starts(beside: Path) -> list[str]:
    """Seeds of the trainings begun since the last question, in order."""
    file = beside / "starts.txt"
    noted = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return noted


def rows_of(grid: Path) -> list[dict[str, str]]:
    with (grid / "grid.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_cell_is_trained_and_told_the_best_first(trained_grid: tuple[Path, str]) -> None:
    folder, told = trained_grid
    assert "Cell 2 of 3: seed-2, about " in told
    assert "Best by validation photos: seed-3." in told
    rows = rows_of(folder)
    assert [(row["cell"], row["state"], row["seed"]) for row in rows] == [
        ("seed-3", "finished", "3"), ("seed-2", "finished", "2"), ("seed-1", "finished", "1")
    ]  # fmt: skip
    assert {(row["seconds"], row["parameters"]) for row in rows} == {("3.0", str(PARAMETERS))}
    value = json.loads((folder / "grid.json").read_text())
    assert value["best"] == "seed-3"
    assert value["grid"] == {"seed": [1, 2, 3]}
    assert f"{value['cells'][0]['validation']['accuracy']:.6f}" == rows[0]["validation_accuracy"]


def test_test_photos_are_reported_and_decide_nothing(trained_grid: tuple[Path, str]) -> None:
    tested = [float(row["test_accuracy"]) for row in rows_of(trained_grid[0])]
    assert tested == sorted(tested)  # the best on validation photos is the worst on test photos
    assert tested[0] < tested[-1]


def test_the_cells_of_a_grid_keep_the_groups_of_a_file_together(
    dataset: Path, grid: Grid, program: Program, reporter: Reporter, tmp_path: Path
) -> None:
    names = [path.relative_to(dataset).as_posix() for path in sorted(dataset.rglob("*.jpg"))]
    file = tmp_path / "groups.csv"
    file.write_text("path,group\n" + "".join(f"{name},{name[:-5]}{int(name[-5]) // 2}\n" for name in names))
    one = replace(grid, axes={"seed": (1,)})
    run_grid(dataset, tmp_path / "grid", one, None, reporter, program=program, groups=file)
    with (tmp_path / "grid" / "seed-1" / "predictions.csv").open(newline="") as rows:
        held = [row["path"] for row in csv.DictReader(rows)]
    assert {f"{name[:-5]}{int(name[-5]) ^ 1}.jpg" for name in held} == set(held)
    run_grid(dataset, tmp_path / "grid", one, None, reporter, program=program, groups=file)
    assert starts(tmp_path) == ["1"]
    file.write_text(file.read_text() + "\n")  # the split stays, and so does the hash of the photos
    with pytest.raises(TrainingError, match="with other groups"):
        run_grid(dataset, tmp_path / "grid", one, None, reporter, program=program, groups=file)


def test_the_cells_of_a_grid_learn_from_the_same_labels(
    dataset: Path, grid: Grid, program: Program, reporter: Reporter, tmp_path: Path
) -> None:
    (photo, *_), name = sorted(dataset.rglob("*.jpg")), max(path.name for path in dataset.iterdir())
    said = {"sha256": hashlib.sha256(photo.read_bytes()).hexdigest(), "said": name, "path": str(photo)}
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps({**said, "side": "held out"}) + "\n")
    one = replace(grid, axes={"seed": (1,)})
    for _ in range(2):
        run_grid(dataset, tmp_path / "grid", one, None, reporter, program=program, labels=file)
    assert starts(tmp_path) == ["1"]
    with (tmp_path / "grid" / "seed-1" / "predictions.csv").open(newline="") as rows:
        assert (photo.relative_to(dataset).as_posix(), name) in {
            (row["path"], row["true"]) for row in csv.DictReader(rows)
        }
    file.write_text(json.dumps({**said, "side": "learn"}) + "\n")
    with pytest.raises(TrainingError, match="on other photos"):
        run_grid(dataset, tmp_path / "grid", one, None, reporter, program=program, labels=file)


def test_the_recipe_that_a_grid_leaves_is_the_grid(trained_grid: tuple[Path, str], grid: Grid) -> None:
    assert load_recipe_or_grid(trained_grid[0] / "recipe.toml") == grid
    assert load_recipe(trained_grid[0] / "recipes" / "seed-2.toml") == replace(grid.recipe, seed=2)


def test_what_is_finished_is_left_alone_also_by_restart(
    photos: Photos, done: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter, story: io.StringIO
) -> None:
    shutil.rmtree(done / "seed-2")
    results = run_grid(photos[0], done, grid, photos[1], reporter, True, program)
    assert starts(tmp_path) == ["2"]
    assert len(results.finished) == 3
    assert "A grid of 3 cells, 2 of them finished already; 1 to train" in story.getvalue()


def test_cells_of_a_version_that_lacked_a_setting_are_left_alone(
    photos: Photos, done: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    for file in (done / "grid.json", *done.glob("*/run.json")):
        value = json.loads(file.read_text())
        del value["recipe"]["monitor"]
        file.write_text(json.dumps(value))
    run_grid(photos[0], done, grid, photos[1], reporter, program=program)
    assert starts(tmp_path) == []


def test_a_report_that_a_kill_came_before_is_written(
    photos: Photos, done: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    (done / "seed-2" / "report.html").unlink()
    run_grid(photos[0], done, grid, photos[1], reporter, program=program)
    assert starts(tmp_path) == []
    assert "seed-2" in (done / "seed-2" / "report.html").read_text()
    assert (done / "seed-1" / "report.html").read_text() == "a report"


def test_a_cell_that_fails_is_told_and_holds_up_no_other(
    dataset: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter, story: io.StringIO
) -> None:
    failing = replace(grid, axes={"seed": (13, 14, 1)})
    with pytest.raises(TrainingError, match=r"2 of 3 cells failed: seed-13, seed-14\. The same command retries them"):
        run_grid(dataset, tmp_path / "grid", failing, None, reporter, program=program)
    assert "Cell seed-13 failed: There was not enough luck. Pass another seed." in story.getvalue()
    assert "Cell seed-14 failed: It was killed by SIGKILL" in story.getvalue()
    rows = rows_of(tmp_path / "grid")
    assert [row["state"] for row in rows] == ["finished", "failed", "failed"]
    assert rows[1]["reason"] == "There was not enough luck. Pass another seed."
    starts(tmp_path)
    with pytest.raises(TrainingError, match="2 of 3 cells failed"):
        run_grid(dataset, tmp_path / "grid", failing, None, reporter, program=program)
    assert starts(tmp_path) == ["13", "14 went on"]


def test_a_program_that_cannot_start_its_training_says_its_last_line(
    dataset: Path, tmp_path: Path, grid: Grid, reporter: Reporter, story: io.StringIO
) -> None:
    with pytest.raises(TrainingError, match="3 of 3 cells failed"):
        run_grid(dataset, tmp_path / "grid", grid, None, reporter, program=(sys.executable, "-c", "1 / 0"))
    assert "Cell seed-1 failed: ZeroDivisionError: division by zero" in story.getvalue()
    with pytest.raises(TrainingError, match="3 of 3 cells failed"):
        run_grid(dataset, tmp_path / "grid", grid, None, reporter, program=("false",))
    assert "Cell seed-1 failed: It ended with code 1 and printed no message." in story.getvalue()


@pytest.fixture
def photos(dataset: Path, apart: Path) -> Photos:
    """What the grid of `done` was trained on, and tested on."""
    return dataset, apart


@pytest.fixture
def parent(
    dataset: Path, tmp_path: Path, root: Path, grid: Grid, program: Program
) -> Iterator["subprocess.Popen[str]"]:
    """The grid in a process of its own, while its second cell is under way."""
    os.mkfifo(tmp_path / "HOLD-2")
    (tmp_path / "grid.toml").write_text(f"{grid.recipe.to_toml()}\n[grid]\nseed = [1, 2, 3]\n")
    given = [str(dataset), str(tmp_path / "grid"), str(tmp_path / "grid.toml"), *program]
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, *given], stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if line == "holding 2\n":
                break
        yield process
        process.kill()


def test_a_grid_killed_for_good_takes_its_training_along_and_goes_on(
    parent: "subprocess.Popen[str]", dataset: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    assert parent.stdout is not None
    assert "holding" not in parent.stdout.read()  # which ends only when the training has let go of it
    assert json.loads((tmp_path / "grid" / "grid.json").read_text())["best"] == "seed-1"
    (tmp_path / "HOLD-2").unlink()
    (tmp_path / "grid" / ".0123456789abcdef.part").write_bytes(b"half a file")
    assert starts(tmp_path) == ["1", "2"]

    results = run_grid(dataset, tmp_path / "grid", grid, None, reporter, program=program)
    assert starts(tmp_path) == ["2 went on", "3"]
    assert len(results.finished) == 3
    assert not list((tmp_path / "grid").glob(".*.part"))


def test_ctrl_c_stops_the_whole_grid_and_says_how_to_go_on(
    parent: "subprocess.Popen[str]", dataset: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal sends it: to both processes
    assert parent.stdout is not None
    assert "The same command resumes from there" in parent.stdout.read()
    assert parent.wait() == 130
    (tmp_path / "HOLD-2").unlink()
    assert starts(tmp_path) == ["1", "2"]
    run_grid(dataset, tmp_path / "grid", grid, None, reporter, program=program)
    assert starts(tmp_path) == ["2 went on", "3"]


def test_another_grid_other_photos_and_others_folders_are_refused(
    photos: Photos, tmp_path: Path, done: Path, make_dataset: Make, grid: Grid, program: Program, reporter: Reporter
) -> None:
    dataset, test = photos
    wider = replace(grid, axes={"seed": (1, 2, 3, 4)})
    with pytest.raises(TrainingError, match=r"another grid \(grid\.seed: \[1, 2, 3\] there, \[1, 2, 3, 4\] now\)"):
        run_grid(dataset, done, wider, test, reporter, program=program)
    with pytest.raises(TrainingError, match="finished run on other photos"):
        run_grid(make_dataset(tmp_path / "other", seed=3), done, grid, test, reporter, program=program)
    slower = replace(grid, recipe=grid.recipe.with_options({"head.epochs": 3}))
    with pytest.raises(TrainingError, match=r"finished run of another recipe \(head\.epochs: 20 there, 3 now\)"):
        run_grid(dataset, done, slower, test, reporter, True, program)
    assert starts(tmp_path) == []
    run_grid(dataset, done, wider, test, reporter, True, program)
    assert starts(tmp_path) == ["4"]


def test_folders_of_others_and_of_the_dataset_are_refused(
    dataset: Path, tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.toml").write_text("mine")
    with pytest.raises(TrainingError, match="not empty"):
        run_grid(dataset, tmp_path / "mine", grid, None, reporter, program=program)
    with pytest.raises(TrainingError, match="inside the dataset"):
        run_grid(dataset, dataset / "grid", grid, None, reporter, program=program)


def test_photos_that_nothing_can_be_trained_on_end_it_before_any_cell(
    tmp_path: Path, grid: Grid, program: Program, reporter: Reporter
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError):
        run_grid(tmp_path / "empty", tmp_path / "grid", grid, None, reporter, program=program)
    assert not (tmp_path / "grid").exists()


def test_a_damaged_cell_and_a_damaged_grid_are_told(
    photos: Photos, tmp_path: Path, done: Path, grid: Grid, program: Program, reporter: Reporter, story: io.StringIO
) -> None:
    dataset, test = photos
    (done / "seed-1" / "run.json").write_text("{")
    (done / "seed-2" / "model.keras").unlink()
    with pytest.raises(TrainingError, match="2 of 3 cells failed"):
        run_grid(dataset, done, grid, test, reporter, program=program)
    assert "seed-1 failed: The manifest" in story.getvalue()
    assert "seed-2 is damaged" in story.getvalue()
    assert starts(tmp_path) == []
    (done / "grid.json").write_text("[]")
    with pytest.raises(TrainingError, match="cannot be used"):
        run_grid(dataset, done, grid, test, reporter, program=program)
