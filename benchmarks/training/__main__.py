"""Measure what training promises, each promise in one run on one machine.

    python benchmarks/training time DATASET      default against the two-phase recipe, to the same validation accuracy
    python benchmarks/training feed              batches as they come against one batch repeated from memory
    python benchmarks/training memory            ten times the photos: does memory grow
    python benchmarks/training restart DATASET   from the start of the process to the first step, the second time

Each part takes --json for scripts, --short for a look at whether it works, and --help. Docs: docs/benchmarks.md.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import again
import flat
import reach
import supply

WORK = Path.home() / ".cache" / "phototriage-benchmarks"
PARTS = {"time": reach, "feed": supply, "memory": flat, "restart": again}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="PART")
    for name, part in PARTS.items():
        told = part.__doc__ or ""
        options = parts.add_parser(
            name,
            help=told.partition("\n")[0],
            description=told,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        options.add_argument("--json", action="store_true", help="print one JSON object")
        options.add_argument("--short", action="store_true", help="a few drawn photos and a tiny network: no figures")
        options.add_argument("--work", type=Path, default=WORK, help=f"for runs, caches, drawn photos: {WORK}")
        part.add_options(options)
        options.set_defaults(run=part.run)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.run(arguments).show(arguments.json)


if __name__ == "__main__":
    main()
