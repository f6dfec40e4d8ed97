"""A table, the same as JSON, and one line that says what the figure means."""

import json
import os
import platform
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a part found. figure: the one number that it is about, by name."""

    rows: list[Row]
    figure: dict[str, float]
    meaning: str

    def show(self, as_json: bool) -> None:
        """Print it."""
        machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
        if as_json:
            print(json.dumps({"rows": self.rows, **self.figure, "meaning": self.meaning, "machine": machine}))
            return
        names = list(self.rows[0])
        lines = [[str(cell) for cell in line] for line in (names, *(row.values() for row in self.rows))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
        print(f"{', '.join(f'{name}: {value:g}' for name, value in self.figure.items())}. {self.meaning} ({machine})")
