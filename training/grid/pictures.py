"""Write the plot of all cells, and the curves of the best cell, as files for slides and mails."""

from typing import TYPE_CHECKING, Any

from common.html import Html, h
from common.publish import publish_bytes
from training.grid.charts import ROWS, cells_chart, clipped, colour, colour_axis, setting, validation
from training.grid.results import GridResults
from training.html.page import style
from training.report.pictures import BLUE, GREEN, ORANGE, PURPLE, png, tidy, title
from training.report.write import PICTURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def write_pictures(results: GridResults) -> None:
    """Write figures/cells.svg and cells.png, and the curves of the best cell if it has some.

    Raises:
        OSError: the folder cannot be written.
    """
    if results.best is None:
        return
    folder = results.folder / PICTURES
    folder.mkdir(exist_ok=True)
    publish_bytes(folder / "cells.svg", standalone(cells_chart(results)).encode("utf-8"))
    publish_bytes(folder / "cells.png", png(lambda figure: plot(figure, results)))
    for kind in ("accuracy", "loss"):
        drawn, copy = results.folder / results.best.cell.name / PICTURES / f"{kind}.png", folder / f"best-{kind}.png"
        copy.unlink(missing_ok=True)  # of a cell that was the best before
        if drawn.is_file():
            publish_bytes(copy, drawn.read_bytes())


def standalone(drawn: Html) -> str:
    """A chart of the page as a separate SVG file, which also adapts to light and dark."""
    inside = drawn.removeprefix("<svg")
    head, _, rest = inside.partition(">")
    return f'<svg xmlns="http://www.w3.org/2000/svg"{head}>{h("style", Html(style()))}{rest}\n'


def plot(figure: "Figure", results: GridResults) -> None:
    """Accuracies with their 95 % intervals, one row a cell, the best on top; hollow: test photos."""
    outcomes = results.finished[:ROWS]
    figure.set_size_inches(8, 1.6 + 0.3 * len(outcomes))
    axes = figure.subplots()
    for place, outcome in enumerate(reversed(outcomes)):
        own, test, shade = validation(outcome), outcome.figures.get("test"), _COLOURS[colour(results, outcome)]
        axes.plot(own.interval, [place, place], color=shade, linewidth=2.5, alpha=0.45)
        axes.plot([own.accuracy], [place], "o", color=shade, markersize=7)
        if test is not None:
            axes.plot([test.accuracy], [place], "o", color=shade, markersize=5, markerfacecolor="white")
    names = [clipped(outcome.cell.name) for outcome in reversed(outcomes)]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    tested = "; hollow: test photos" if "test" in results.splits else ""
    axes.set(ylim=(-0.7, len(outcomes) - 0.3), xlabel=f"accuracy on validation photos, 95 % interval{tested}")
    title(axes, f"The best of {len(results.finished)}: {results.finished[0].cell.name}")
    _explain(axes, results)
    tidy(axes)


def _explain(axes: Any, results: GridResults) -> None:
    """Add a legend of the colours."""
    key = colour_axis(results)
    for place, value in enumerate(results.grid.axes[key] if key else ()):
        axes.plot([], [], "o", color=_COLOURS[place], label=setting(key or "", value))
    if key:
        axes.legend(frameon=False, loc="lower right")
