"""Measure what training promises, each promise in one run on one machine.

    python -m benchmarks.training time DATASET      default against the two-phase recipe, to the same accuracy
    python -m benchmarks.training feed              batches as they come against one batch repeated from memory
    python -m benchmarks.training memory            ten times the photos: does memory grow
    python -m benchmarks.training restart DATASET   from the start of the process to the first step, the second time
    python -m benchmarks.training few SHARED        what the default makes of few photos, and what it then files
    python -m benchmarks.training labelled SHARED   what labels bring to the whole network, and `learn` does not
    python -m benchmarks.training pseudo SHARED     what pseudo-labels bring, with few labels and with more

Each part takes --json for scripts, --short for a look at whether it works, and --help. Docs: docs/benchmarks.md.
"""

import os

from benchmarks.common import run_part
from benchmarks.training import again, few, flat, labelled, pseudo, reach, supply

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PARTS = {
    "time": reach,
    "feed": supply,
    "memory": flat,
    "restart": again,
    "few": few,
    "labelled": labelled,
    "pseudo": pseudo,
}

if __name__ == "__main__":
    run_part("training", __doc__, PARTS, "a few drawn photos and a tiny network: no figures")
