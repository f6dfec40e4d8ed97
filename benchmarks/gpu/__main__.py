"""What CUDA does for phototriage on this machine, part by part; without a GPU, a rehearsal of the same on the CPU.

    python -m benchmarks.gpu all --photos ../shared/scenes --json gpu.json --seconds 420

Run it from the clone's root in an environment with phototriage's `cuda` extra. `all` runs each part in a process of
its own, which is ended when its time is over, so that one that hangs or crashes does not cost the others; every figure
is in the JSON file as soon as it is known. docs/gpu.md says what came out, and where.
"""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click

from benchmarks.gpu.bench import ROOT, Bench, Book, environment
from contract.gpu import cuda_obstacle

PARTS = {  # with the share of the time that each may take
    "end": (26, "sort and watch as a user runs them, beside the decode bound"),
    "first": (12, "time to open, to warm, to be ready; GPU memory"),
    "faults": (26, "a poisoned context, a full GPU"),
    "buckets": (14, "photos a second by batch size, options, precision, copies"),
    "train": (18, "training by Keras on JAX"),
    "parity": (8, "CUDA's answers beside the CPU's, by precision"),
    "nodes": (7, "which provider computes which node, where a batch's time goes"),
    "hardening": (14, "CUDA under the restrictions of the systemd unit"),
}
GRACE_S = 12.0


@click.command(epilog="Parts: " + "; ".join(f"{name}: {what}" for name, (_, what) in PARTS.items()))
@click.argument("part", type=click.Choice(["all", *PARTS]))
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of photos.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="File for the figures; what it holds stays.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), help="By default cuda where it can be had.")
@click.option("--seconds", default=420.0, show_default=True, help="For all parts, or the one.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to make files; by default a temporary folder.")
@click.option("--only", help="With `all`: parts in the order to run them, with commas between.")
def main(
    part: str,
    photos: Path,
    json_file: Path | None,
    device: str | None,
    seconds: float,
    folder: Path | None,
    only: str | None,
) -> None:
    """Measure what CUDA does on this machine."""
    device = device or ("cpu" if cuda_obstacle() else "cuda")
    if part == "all":
        _all(only.split(",") if only else list(PARTS), photos, json_file, device, seconds, folder)
        return
    work = Path(tempfile.mkdtemp(prefix="gpu-", dir=folder))
    bench = Bench(Book(json_file, part), device, photos, work, seconds)
    print(f"{part}, on {device}: {PARTS[part][1]}")
    try:
        importlib.import_module(f"benchmarks.gpu.{part}").run(bench)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    bench.note("seconds", round(time.monotonic() - bench.started_s, 1))


def _all(
    parts: list[str], photos: Path, json_file: Path | None, device: str, seconds: float, folder: Path | None
) -> None:
    """Run the parts one after the other; what one leaves of its time, those behind it share."""
    end_s = time.monotonic() + seconds
    for place, part in enumerate(parts):
        shares = [PARTS[name][0] for name in parts[place:]]
        share_s = max(5.0, (end_s - time.monotonic()) * shares[0] / sum(shares))
        words = [part, "--photos", str(photos), "--device", device, "--seconds", str(round(share_s))]
        words += ["--json", str(json_file)] if json_file else []
        words += ["--folder", str(folder)] if folder else []
        print(f"\n== {part}: at most {share_s:.0f} s", flush=True)
        ending = _run([sys.executable, "-m", "benchmarks.gpu", *words], share_s + GRACE_S)
        if ending:
            print(f"{part} {ending}", flush=True)
            _say(json_file, part, ending)


def _run(words: list[str], seconds: float) -> str:
    """Run a part; how it ended, empty if well. What it leaves running ends with it."""
    process = subprocess.Popen(words, env=environment(), cwd=ROOT, start_new_session=True)
    try:
        code = process.wait(seconds)
        return f"ended with {code}" if code else ""
    except subprocess.TimeoutExpired:
        return "was ended: its time was over"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _say(json_file: Path | None, part: str, ending: str) -> None:
    if json_file is None:
        return
    book = Book(json_file, part)
    if json_file.exists():
        book.facts = json.loads(json_file.read_text()).get(part, {})
    book.put("ending", ending)


if __name__ == "__main__":
    main()
