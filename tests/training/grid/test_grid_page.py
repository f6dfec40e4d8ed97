"""A grid's page: what it shows, in which order, and what it does where there is little, much or nothing to show."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from tests.training.grid.support import PARAMETERS, chances, write_cell
from tests.training.report.support import Page
from training.grid.charts import front
from training.grid.outcome import CellState, read_outcome
from training.grid.page import page
from training.grid.plan import plan_cells
from training.grid.results import GridResults, results_of
from training.grid.show import csv_text, show
from training.grid.write import write_figures
from training.measure.figures import AVERAGES, SplitFigures
from training.progress import Reporter
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import Grid

EVIL = "&lt;i&gt;"  # what a page that escapes too little shows as <i>
LABELS = ("forest", EVIL, "street")
BLOCKS = Grid(
    Recipe(weights="none"),
    {"backbone": ("MobileNetV2", "Xception"), "fine_tune.unfreeze": ("1 blocks", "3 blocks")},
)
MakeResults = Callable[..., GridResults]


@pytest.fixture
def make_results(tmp_path: Path) -> MakeResults:
    """A grid's folder with its first cells finished, each better than the one before, and the next ones failed."""

    def make(
        grid: Grid = BLOCKS,
        finished: int = 3,
        failed: int = 1,
        sides: Sequence[str] = ("validation",),
        left_out: int = 0,
    ) -> GridResults:
        """left_out: of the 20 photos of the last class."""
        cells, true = plan_cells(grid), (np.arange(60) % 3)[np.arange(60) % 3 != 2]
        true = np.concatenate([true, np.full(20 - left_out, 2)])
        folder = tmp_path / "<b>grid"
        for number, cell in enumerate(cells[:finished]):
            given = {side: chances(true, 3, number - 5.0 - place) for place, side in enumerate(sides)}
            write_cell(folder / cell.name, cell.recipe, LABELS, given, seconds=60.0 * (number + 1))
        reasons = ["=1+1 <i>broke</i>" if finished <= place < finished + failed else "" for place in range(len(cells))]
        return results_of(folder, grid, [read_outcome(folder, *pair) for pair in zip(cells, reasons, strict=True)])

    return make


def test_it_shows_every_cell_the_best_first_and_loads_and_runs_nothing(make_results: MakeResults) -> None:
    results = make_results()
    (results.folder / results.finished[1].cell.name / "report.html").write_text("there")
    shown = Page(page(results))
    tags = {tag for tag, _ in shown.elements}
    assert not tags & {"script", "link", "iframe", "img", "i>", "b>"}
    assert shown.values("src") == []
    names = [item.cell.name for item in results.outcomes]
    assert names == ["xception-1-blocks", "mobilenetv2-3-blocks", "mobilenetv2-1-blocks", "xception-3-blocks"]
    table = shown.text.partition("Every cell")[2].partition("Side by side")[0]
    assert sorted(names, key=table.index) == names
    assert "failed =1+1 <i>broke</i>" in table
    assert EVIL in shown.text
    assert [link for link in shown.values("href") if "report.html" in link] == 2 * [f"{names[1]}/report.html"]
    ids = shown.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in shown.values("href") if link.startswith("#")} <= {*ids}


def test_it_has_a_plot_of_all_what_each_setting_brings_costs_and_the_best_ones_curves(
    make_results: MakeResults,
) -> None:
    shown = Page(page(make_results()))
    titles = [label.partition(".")[0] for label in shown.values("aria-label") if "." in label]
    assert titles == [
        "Accuracy of each cell on validation photos, with its 95 % interval",
        "Accuracy by backbone",
        "Accuracy by fine_tune",
        "Accuracy against minutes",
        "Accuracy by epoch",
        "Loss by epoch",
    ]
    assert "Accuracy and loss of xception-1-blocks by epoch." in shown.text
    assert "epoch 3, whose weights were kept" in shown.text


def test_figures_of_all_sides_stand_beside_each_other_whole_and_by_class(make_results: MakeResults) -> None:
    results = make_results(sides=("validation", "test", "train"))
    shown = Page(page(results))
    whole = shown.text.partition("on every side")[2].partition("Each class")[0]
    assert whole.index("training photos") < whole.index("validation photos") < whole.index("test photos")
    best = results.finished[0].figures
    row = [f"{value:.3f}" for side in ("train", "validation", "test") for value in averages(best[side])]
    assert "".join(row) in whole
    classes = shown.text.partition("Each class")[2]
    for place, label in enumerate(LABELS):
        items = [best[side].classes[place] for side in ("train", "validation", "test")]
        figures = [(item["photos"], *(f"{item[name]:.3f}" for name in AVERAGES)) for item in items]
        assert label + "".join(str(value) for values in figures for value in values) in classes


@pytest.mark.parametrize(("left_out", "expected"), [(13, 0), (14, 2)])
def test_macro_recall_stands_beside_the_accuracy_where_classes_differ_in_size(
    make_results: MakeResults, left_out: int, expected: int
) -> None:
    """Of 20 photos a class and 7 or 6 of the last."""
    results = make_results(left_out=left_out)
    text = Page(page(results)).text
    assert text.partition("Plot")[2].count("macro recall") == expected
    out = io.StringIO()
    show(results, Reporter(Console(file=out, width=200)))
    assert ("macro recall" in out.getvalue()) == bool(expected)


def averages(given: SplitFigures) -> list[float]:
    return [given.accuracy, *(getattr(given, name) for name in AVERAGES)]


def test_where_nothing_is_finished_it_says_so_and_how_to_go_on(make_results: MakeResults) -> None:
    shown = Page(page(make_results(finished=0)))
    assert "No cell is finished yet." in shown.text
    assert "phototriage train PHOTOS --recipe" in shown.text
    assert "Train the 4 left" in shown.text
    assert not shown.all("svg")


def test_a_grid_of_one_cell_has_nothing_to_compare(make_results: MakeResults) -> None:
    shown = Page(page(make_results(Grid(Recipe(weights="none"), {"seed": (4,)}), finished=1, failed=0)))
    assert "seed-4 is right on" in shown.text
    assert "What each setting brings" not in shown.text
    assert "phototriage compare" not in shown.text
    assert len(shown.all("svg")) == 3


def test_of_very_many_cells_the_best_are_drawn_and_all_are_listed(make_results: MakeResults) -> None:
    results = make_results(Grid(Recipe(weights="none"), {"seed": tuple(range(70))}), finished=70, failed=0)
    text = page(results)
    shown = Page(text)
    assert "The best 60; 10 more are in the table." in shown.text
    assert all(f"seed-{seed}" in shown.words for seed in range(70))
    assert len(text) < 1_000_000


def test_a_run_that_says_less_is_shown_with_dashes(make_results: MakeResults) -> None:
    results = make_results()
    file = results.folder / "mobilenetv2-1-blocks" / "run.json"
    value: dict[str, Any] = json.loads(file.read_text())
    card = value["metrics"]["validation"]
    value["metrics"]["validation"] = {name: item for name, item in card.items() if not name.startswith("macro_")}
    for item in value["metrics"]["validation"]["classes"]:
        del item["auc"]
    file.write_text(json.dumps(value))
    again = read_outcome(results.folder, plan_cells(BLOCKS)[0])
    assert again.state is CellState.FINISHED
    shown = Page(page(results_of(results.folder, BLOCKS, [again])))
    assert "\N{EN DASH}" in shown.text


def test_those_on_the_line_are_beaten_by_none_that_costs_no_more(make_results: MakeResults) -> None:
    worse, middle, best = reversed(make_results().finished)
    assert [item for _, item in front([(1.0, worse), (2.0, middle), (3.0, best)])] == [worse, middle, best]
    assert [item for _, item in front([(3.0, worse), (2.0, middle), (2.0, best)])] == [best]


@pytest.mark.parametrize(("width", "log_loss"), [(60, False), (200, True)])
def test_on_the_terminal_no_name_is_broken_whatever_the_width(
    make_results: MakeResults, width: int, log_loss: bool
) -> None:
    story = io.StringIO()
    results = make_results()
    show(results, Reporter(Console(file=story, width=width)))
    lines = story.getvalue().splitlines()
    for outcome in results.finished:
        (line,) = (line for line in lines if f" {outcome.cell.name} " in line)
        assert f"{outcome.figures['validation'].accuracy:.4f}" in line
        assert line.rstrip().endswith("0 k \N{BOX DRAWINGS LIGHT VERTICAL}")
    assert ("log loss" in lines[1]) is log_loss
    assert "xception-3-blocks failed: =1+1 <i>broke</i>" in lines


def test_the_table_is_safe_in_a_spreadsheet_and_holds_every_side(make_results: MakeResults) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(make_results(sides=("validation", "test"))))))
    assert [row["reason"] for row in rows] == ["", "", "", "'=1+1 <i>broke</i>"]
    assert rows[0]["test_f1"] > rows[1]["test_f1"] > ""
    assert rows[0]["parameters"] == str(PARAMETERS)
    assert [rows[3][name] for name in ("state", "backbone", "test_accuracy", "seconds")] == [
        "failed", "Xception", "", ""
    ]  # fmt: skip


def test_the_charts_of_the_page_stand_alone_and_those_of_an_earlier_best_cell_are_gone(
    make_results: MakeResults,
) -> None:
    results = make_results(replace(BLOCKS, axes={"seed": (1, 2, 3, 4, 5)}), finished=5, failed=0)
    (results.folder / "figures").mkdir()
    (results.folder / "figures" / "best-loss.svg").write_bytes(b"of another best one")
    (results.folder / results.finished[0].cell.name / "history.csv").write_text("epoch,accuracy\n0,0.5\n1,0.6\n")
    write_figures(results)
    assert sorted(path.stem for path in (results.folder / "figures").iterdir()) == ["best-accuracy", "cells", "time"]
    drawn = ET.parse(results.folder / "figures" / "cells.svg").getroot()
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(drawn.findall("{*}g/{*}circle")) == 5


def test_what_settings_bring_and_cost_becomes_charts_too(make_results: MakeResults) -> None:
    results = make_results()
    write_figures(results)
    names = {path.stem for path in (results.folder / "figures").iterdir()}
    assert {"cells", "by-backbone", "by-fine_tune.unfreeze", "time"} <= names
