"""What does the daemon cost while nothing happens?

    python -m benchmarks.idle

`phototriage watch` on an empty inbox, and then on one in which something stays that is no photo, as the kernel counts:
CPU time of all threads, wake-ups (a thread gave its processor up and got it back), resident memory, and its share of
what others use too (PSS). `TensorFlow` tells whether any of its files is mapped.
"""

import argparse
import time
from pathlib import Path

from benchmarks.common import add_model, finish, parser, tell, workplace
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, memory_kb, phototriage

SETTLES_S = 1.0
MEANING = "Of one core, and of memory, while nothing happens: less than 0.5 % and 250 MB are wanted, and no TensorFlow."


def main() -> None:
    options = parser("idle", __doc__, "ten seconds")
    options.add_argument("--seconds", type=float, default=60.0, help="of nothing")
    add_model(options)
    arguments = options.parse_args()
    if arguments.short:
        arguments.seconds = min(arguments.seconds, 10.0)
    finish("idle", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """An empty inbox, and one in which something stays."""
    rows = []
    with workplace(arguments.work, "idle") as place:
        for name, left in (("empty", 0), ("100 files that stay", 100)):
            tell(f"{name}: {arguments.seconds:g} s of nothing")
            rows.append(_row(name, place / name.replace(" ", "-"), left, arguments))
    figure = {"% of a core": max(row["% of a core"] for row in rows), "RSS MB": max(row["RSS MB"] for row in rows)}
    return Told(rows, figure, MEANING)


def _row(name: str, place: Path, left: int, arguments: argparse.Namespace) -> Row:
    inbox, output = place / "in", place / "out"
    inbox.mkdir(parents=True)
    for number in range(left):
        (inbox / f"{number}.txt").write_text("no photo")
    process = Watched(phototriage("watch", inbox, output, arguments.model), place / "process")
    try:
        process.until_ready()
        time.sleep(SETTLES_S)
        before, began_s = _counted(process.pid), time.monotonic()
        time.sleep(arguments.seconds)
        after, seconds = _counted(process.pid), time.monotonic() - began_s
        return {
            "inbox": name,
            "seconds": round(seconds),
            "% of a core": round(100 * (after[0] - before[0]) / seconds, 3),
            "wake-ups/s": round((after[1] - before[1]) / seconds, 2),
            "threads": sum(1 for _ in Path(f"/proc/{process.pid}/task").iterdir()),
            "RSS MB": round(memory_kb(process.pid, "VmRSS") / 1024, 1),
            "PSS MB": round(memory_kb(process.pid, "Pss", "smaps_rollup") / 1024, 1),
            "TensorFlow": "yes" if "tensorflow" in Path(f"/proc/{process.pid}/maps").read_text() else "no",
        }
    finally:
        process.stop()


def _counted(pid: int) -> tuple[float, int]:
    """Seconds of CPU time and wake-ups of all threads until now."""
    cpu_ns = wake_ups = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns += int((thread / "schedstat").read_text().split()[0])
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                wake_ups += int(line.split()[1])
    return cpu_ns / 1e9, wake_ups


if __name__ == "__main__":
    main()
