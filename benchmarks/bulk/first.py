"""From the command to the first part of a plan of ten million rows.

The plan has one real part under all its names, so its size costs no disk. The run is interrupted after the first part.
"""

import argparse
import os
import signal
import time
from pathlib import Path

from benchmarks.bulk.runs import BulkRun, plan_of
from benchmarks.common import add_model, tell, workplace
from benchmarks.photos import backlog, made
from benchmarks.throughput.takers import EVERY_S
from benchmarks.told import Row, Told
from benchmarks.watched import memory_kb
from bulk.manifest.schema import part_name

MEANING = "10 s is wanted. The time goes into the photos of the part; a plan of one part shows what the others cost."
INTERRUPTED = 128 + signal.SIGINT


def add_options(made: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    made.add_argument("--rows", type=int, default=2000, help="rows of a part")
    made.add_argument("--plan-rows", type=int, default=10_000_000, help="rows of the plan")
    made.add_argument("--photos", type=Path, help="folder of photos: ../shared/scenes/test")
    add_model(made)


def run(arguments: argparse.Namespace) -> Told:
    """Measure."""
    if arguments.short:
        arguments.rows, arguments.plan_rows = 100, 100_000
    rows = []
    with workplace(arguments.work, "bulk") as place:
        backlog(made(arguments.work, "small", arguments.photos), arguments.rows, place / "in", link=True)
        for parts in (arguments.plan_rows // arguments.rows, 1):
            tell(f"a plan of {parts} parts")
            plan = place / f"plan-{parts}"
            plan_of(place / "in", plan, arguments.rows)
            for number in range(1, parts):
                os.link(plan / "parts" / part_name(0), plan / "parts" / part_name(number))
            rows.append(_row(plan, place / f"run-{parts}", arguments, parts))
    return Told(rows, {"seconds to the first part": rows[0]["first part, s"]}, MEANING)


def _row(plan: Path, place: Path, arguments: argparse.Namespace, parts: int) -> Row:
    run = BulkRun(plan, place, arguments.model)
    run.process.codes = (0, INTERRUPTED)
    driver_mb = 0.0
    while not run.photos() and not run.process.ended():
        driver_mb = max(driver_mb, memory_kb(run.process.pid, "VmHWM") / 1024)
        run.cpu_s()
        time.sleep(EVERY_S)
    took_s = time.monotonic() - run.process.started_s
    run.process.process.send_signal(signal.SIGINT)
    while not run.process.ended():
        time.sleep(EVERY_S)
    return {
        "rows": parts * arguments.rows,
        "rows a part": arguments.rows,
        "first part, s": round(took_s, 2),
        "driver MB": round(driver_mb),
        "worker MB": round(run.worker_mb),
    }
