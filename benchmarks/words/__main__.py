"""Does people's word reach the photos that are the same, no others, and at which price?

    python -m benchmarks.words pulls SHARED     photos that only look like a labelled one: which are pulled
    python -m benchmarks.words copies SHARED    copies of labelled photos: which are found
    python -m benchmarks.words speed            photos a second with 0, 100 and 10,000 labels

Each part takes --json for scripts, --short for a look at whether it works, and --help. Docs: docs/benchmarks.md.
"""

import argparse

from benchmarks.common import add_model, add_options, finish
from benchmarks.words import copies, pulls, speed

PARTS = {"pulls": pulls, "copies": copies, "speed": speed}


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
        add_options(options, "few photos: rough")
        add_model(options)
        part.add_options(options)
        options.set_defaults(run=part.run, part=name)
    arguments = parser.parse_args()
    finish(f"words {arguments.part}", arguments, arguments.run(arguments))


if __name__ == "__main__":
    main()
