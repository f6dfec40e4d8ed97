"""Measure what training promises, each promise in one run on one machine.

    python -m benchmarks.training time DATASET      default against the two-phase recipe, to the same accuracy
    python -m benchmarks.training feed              batches as they come against one batch repeated from memory
    python -m benchmarks.training memory            ten times the photos: does memory grow
    python -m benchmarks.training restart DATASET   from the start of the process to the first step, the second time
    python -m benchmarks.training few SHARED        what the default makes of few photos, and what it then files

Each part takes --json for scripts, --short for a look at whether it works, and --help. Docs: docs/benchmarks.md.
"""

import argparse
import os

from benchmarks.common import add_options, finish
from benchmarks.training import again, few, flat, reach, supply

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PARTS = {"time": reach, "feed": supply, "memory": flat, "restart": again, "few": few}


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
        add_options(options, "a few drawn photos and a tiny network: no figures")
        part.add_options(options)
        options.set_defaults(run=part.run, part=name)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    finish(f"training {arguments.part}", arguments, arguments.run(arguments))


if __name__ == "__main__":
    main()
