"""Read the history from a run folder."""

import csv
from pathlib import Path


def read_history(file: Path) -> list[dict[str, str]]:
    """Rows of history.csv. A missing or damaged file gives none, and the report then has no curves."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return [{name: text for name, text in row.items() if name and text} for row in csv.DictReader(lines)]
    except (OSError, ValueError, csv.Error):
        return []
