"""Write the results of a grid into its folder after each cell, so that a running grid can be inspected; charts last."""

import json

from common.publish import publish_bytes
from training.grid.charts import cells_chart, cost_axes, cost_chart, strip_charts
from training.grid.folder import GRID
from training.grid.page import page
from training.grid.results import GridResults
from training.grid.show import csv_text
from training.html.chart import FIGURES, Chart, write_charts
from training.report.charts import learning_charts
from training.report.read import read_history
from training.run import HISTORY

PAGE, TABLE = "grid.html", "grid.csv"


def write_results(results: GridResults) -> None:
    """Write grid.json, grid.csv and grid.html.

    Raises:
        OSError: the folder cannot be written.
    """
    text = json.dumps(results.to_dict(), indent=2, ensure_ascii=False) + "\n"
    publish_bytes(results.folder / GRID, text.encode("utf-8", "surrogateescape"))
    publish_bytes(results.folder / TABLE, csv_text(results).encode("utf-8", "surrogateescape"))
    publish_bytes(results.folder / PAGE, page(results).encode("utf-8"))


def write_figures(results: GridResults) -> None:
    """Write the charts of the page as figures/*.svg, if a cell is finished.

    Raises:
        OSError: the folder cannot be written.
    """
    if results.best is None:
        return
    drawn: dict[str, Chart | None] = {"cells": cells_chart(results), "best-accuracy": None, "best-loss": None}
    drawn |= {f"by-{key}": strip for key, strip in strip_charts(results).items()}
    drawn |= {kind: cost_chart(results, name, cost) for kind, (name, cost) in cost_axes(results).items()}
    history = read_history(results.folder / results.best.cell.name / HISTORY)
    drawn |= {f"best-{kind}": learning for kind, learning in learning_charts(history).items()}
    for name in drawn:
        (results.folder / FIGURES / f"{name}.svg").unlink(missing_ok=True)  # of a cell that was the best before
    write_charts(results.folder / FIGURES, {name: chart for name, chart in drawn.items() if chart is not None})
