"""Write the results of a grid into its folder after each cell, so that a running grid can be inspected."""

import json

from common.publish import publish_bytes
from training.grid.folder import GRID
from training.grid.page import page
from training.grid.results import GridResults
from training.grid.show import csv_text

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
