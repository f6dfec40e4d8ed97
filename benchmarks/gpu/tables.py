"""The figures of a JSON file as tables for docs/measurements.md, without what was skipped.

python -m benchmarks.gpu.tables gpu.json
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import told

LEFT_OUT = ("seconds", "ending")


def lines(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A table for each part: what was measured, what came out."""
    for part, facts in figures.items():
        yield from (f"### {part}", "", "| | |", "|---|---|")
        for key, value in facts.items():
            if key not in LEFT_OUT and not str(value).startswith("skipped"):
                yield f"| {key} | {_cell(value)} |"
        yield ""


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: each for key, each in value.items() if each not in ("", [], {}, None)}
    return " ".join(told(value).replace("|", "/").split())[:400]


if __name__ == "__main__":
    print("\n".join(lines(json.loads(Path(sys.argv[1]).read_text()))))
