"""List the benchmarks: `python -m benchmarks`, from the clone's root, in the environment of `make test`."""

import ast
from pathlib import Path

NAMES = (
    "throughput",
    "latency",
    "scale",
    "ledger",
    "look",
    "idle",
    "startup",
    "clean_machine",
    "swap",
    "training",
    "export",
    "backbones",
    "broad",
    "foreign",
    "words",
    "learn",
    "day",
    "gpu",
    "promise",
    "bulk",
    "filing_picture",
)


def main() -> None:
    width = max(map(len, NAMES))
    for name in NAMES:
        print(f"python -m benchmarks.{name:<{width}}  {_purpose(name)}")
    print("Each takes --help; docs/benchmarks.md says what the figures mean, docs/measurements.md holds the last ones.")


def _purpose(name: str) -> str:
    here = Path(__file__).parent
    file = here / name / "__main__.py" if (here / name).is_dir() else here / f"{name}.py"
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return told.partition("\n")[0]


if __name__ == "__main__":
    main()
