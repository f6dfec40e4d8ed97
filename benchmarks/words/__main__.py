"""Does people's word reach the photos that are the same, no others, and at which price?

    python -m benchmarks.words pulls SHARED     photos that only look like a labelled one: which are pulled
    python -m benchmarks.words copies SHARED    copies of labelled photos: which are found
    python -m benchmarks.words speed            photos a second with 0, 100 and 10,000 labels

Each part takes --json for scripts, --short for a look at whether it works, and --help. Docs: docs/benchmarks.md.
"""

from benchmarks.common import run_part
from benchmarks.words import copies, pulls, speed

PARTS = {"pulls": pulls, "copies": copies, "speed": speed}

if __name__ == "__main__":
    run_part("words", __doc__, PARTS, "few photos: rough")
