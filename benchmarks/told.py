"""What a benchmark found: a table, the same as JSON, and a line that says what the figure means."""

import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks import machine

Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a benchmark found.

    Attributes:
        rows: of the table; all have the same columns, `None` is nothing.
        figure: the numbers that it is about, by name.
        meaning: what they mean, in a sentence or two.
        notes: what was left out, and why.
    """

    rows: list[Row]
    figure: dict[str, float]
    meaning: str
    notes: list[str] = field(default_factory=list)

    def show(self, as_json: bool) -> None:
        """Print it."""
        if as_json:
            told = {"rows": self.rows, **self.figure, "meaning": self.meaning, "notes": self.notes}
            print(json.dumps({**told, "machine": machine.words()}))
            return
        print("\n".join([*self._lines(), f"{self.sum()} ({machine.words()})", *self.notes]))

    def sum(self) -> str:
        """The figures and what they mean."""
        return f"{', '.join(f'{name}: {value:g}' for name, value in self.figure.items())}. {self.meaning}"

    def markdown(self) -> str:
        """The same for a page."""
        names = list(self.rows[0])
        lines = [names, ["---"] * len(names), *([_cell(cell) for cell in row.values()] for row in self.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([table, self.sum(), *self.notes])

    def _lines(self) -> list[str]:
        table = [list(self.rows[0]), *([_cell(cell) for cell in row.values()] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in table]


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
