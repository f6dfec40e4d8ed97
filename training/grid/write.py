"""Write a grid's results into its folder; done after each cell, so that a grid under way can be looked at."""

import json

from contract.publish import publish_bytes
from training.grid.folder import GRID
from training.grid.results import Results
from training.grid.show import csv_text


def write_results(results: Results) -> None:
    """Write grid.json and grid.csv.

    Raises:
        OSError: the folder cannot be written.
    """
    text = json.dumps(results.to_dict(), indent=2, ensure_ascii=False) + "\n"
    publish_bytes(results.folder / GRID, text.encode("utf-8", "surrogateescape"))
    publish_bytes(results.folder / "grid.csv", csv_text(results).encode("utf-8", "surrogateescape"))
