"""A training in a process of its own, as a user starts it, watched from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A tiny network on tiny photos, for short forms and for what does not depend on its size.
TINY = ("weights=none", "input.size_px=32", "fine_tune.scale=1.0", "fine_tune.epochs=1", "head.epochs=1")


def settings(values: Sequence[str]) -> list[str]:
    """As options of `phototriage train`."""
    return [part for value in values for part in ("--set", value)]


def start(work: Path, arguments: Sequence[str], module: Sequence[str] = ("-m", "phototriage")) -> subprocess.Popen[str]:
    """Start a Python program with a cache of its own; what it says goes to WORK/log."""
    variables = {**os.environ, "XDG_CACHE_HOME": str((work / "cache").absolute()), "PYTHONPATH": str(ROOT)}
    with (work / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, *module, *arguments], env=variables, stdout=log, stderr=log, cwd=Path.cwd(), text=True
        )


def watch(process: "subprocess.Popen[str]", look: Callable[[], None], every_s: float, log: Path) -> float:
    """Look until it ends: the seconds that it took. Ends this program if it failed, and it if this program ends."""
    started = time.monotonic()
    try:
        while process.poll() is None:
            look()
            time.sleep(every_s)
        look()
    finally:
        process.kill()
    if process.returncode:
        raise SystemExit(f"the training failed; the end of {log}:\n{log.read_text()[-2000:]}")
    return time.monotonic() - started
