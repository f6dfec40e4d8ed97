"""How soon does it work?

    python -m benchmarks.startup

From the start of the process to `ready` of `phototriage watch`, with the shipped model opened and proven; to the end of
`phototriage --help`; and, for scale, of a Python that does nothing, of one that imports ONNX Runtime, and of one that
imports TensorFlow, where it is installed. In turns; the median counts. Files come from the page cache.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.common import add_model, finish, parser, tell, workplace
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, phototriage

READY = "phototriage watch, to ready"
MEANING = "Seconds from the start of the process to the moment from which photos are taken; less than 2 are wanted."


def main() -> None:
    options = parser("startup", __doc__, "three rounds")
    options.add_argument("--rounds", type=int, default=11, help="of each")
    add_model(options)
    arguments = options.parse_args()
    if arguments.short:
        arguments.rounds = min(arguments.rounds, 3)
    finish("startup", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """A row for each command."""
    timed: dict[str, Callable[[Path], tuple[float, float]]] = {
        READY: partial(_to_ready, arguments.model),
        "phototriage --help": partial(_to_end, ["-m", "phototriage", "--help"]),
        "python -c pass": partial(_to_end, ["-c", "pass"]),
        "import onnxruntime": partial(_to_end, ["-c", "import onnxruntime"]),
    }
    if importlib.util.find_spec("tensorflow"):
        timed["import tensorflow"] = partial(_to_end, ["-c", "import tensorflow"])
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    with workplace(arguments.work, "startup") as place:
        for number in range(arguments.rounds + 1):
            for name, run in timed.items():
                tell(f"round {number} of {arguments.rounds}: {name}")
                taken[name].append(run(place / f"{number}-{len(name)}"))
    rows: list[Row] = [
        {
            "what": name,
            "s": round(statistics.median(wall for wall, _ in times[1:]), 3),  # the first one fills the page cache
            "CPU s": round(statistics.median(cpu for _, cpu in times[1:]), 3),
            "quickest s": round(min(wall for wall, _ in times[1:]), 3),
        }
        for name, times in taken.items()
    ]
    return Told(rows, {"seconds": rows[0]["s"], "CPU seconds": rows[0]["CPU s"]}, MEANING)


def _to_ready(model: Path, place: Path) -> tuple[float, float]:
    inbox, output = place / "in", place / "out"
    inbox.mkdir(parents=True)
    process = Watched(phototriage("watch", inbox, output, model), place / "process")
    ready_s, cpu_s = process.until_ready(), process.cpu_so_far_s()
    process.stop()
    return ready_s - process.started_s, cpu_s


def _to_end(words: list[str], place: Path) -> tuple[float, float]:
    process = Watched([sys.executable, *words], place)
    while not process.ended():
        time.sleep(0.001)
    return time.monotonic() - process.started_s, process.cpu_s


if __name__ == "__main__":
    main()
