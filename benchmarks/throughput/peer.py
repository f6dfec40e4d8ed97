"""What everyone who takes part says of itself: when it was ready, how long the work took, what it cost."""

import json
import time
from pathlib import Path


def listed(folder: Path) -> list[Path]:
    """The photos of a folder, by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def began() -> tuple[float, float]:
    """Everything is loaded and warm: wall and CPU time."""
    return time.perf_counter(), time.process_time()


def ended(start: tuple[float, float], children_cpu_s: float = 0.0) -> None:
    """Say how it went, as one line of JSON."""
    cpu_s = time.process_time() - start[1] + children_cpu_s
    print(json.dumps({"seconds": time.perf_counter() - start[0], "cpu_s": cpu_s}), flush=True)
