"""More files at once than the kernel's queue of events holds, and very many in a row: none left, memory flat."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.promise.world import World, digest

Tell = Callable[[str], None]
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def overflow(world: World, photos: int, tell: Tell) -> dict[str, float]:
    """Stop the daemon's process, put more files in than the queue of events holds, and let it go on.

    Raises:
        BrokenError: a photo was left, lost or doubled.
    """
    world.start()
    os.kill(world.pid, signal.SIGSTOP)
    world.put(range(photos))
    os.kill(world.pid, signal.SIGCONT)
    started_s = time.monotonic()
    world.until_filed()
    seconds = time.monotonic() - started_s
    peak = _memory_mb(world.pid, "VmHWM")
    world.end()
    world.check()
    tell(f"{photos} files while nobody read the queue of {QUEUE.read_text().strip()} events: none left, none twice")
    return {"photos": photos, "photos_per_s": round(photos / seconds), "peak_mb": peak}


def soak(world: World, photos: int, tell: Tell) -> dict[str, list[float]]:
    """Pass many files through one process; memory, open files and threads at ten moments.

    Filed photos are counted and removed as they come, so that the disk holds it.

    Raises:
        BrokenError: a photo was left or lost.
    """
    world.start()
    rows: dict[str, list[float]] = {"photos": [], "resident_mb": [], "open_files": [], "threads": []}
    filed = 0
    for tenth in range(10):
        first, last = photos * tenth // 10, photos * (tenth + 1) // 10
        for start in range(first, last, 2000):
            world.put(range(start, min(last, start + 2000)))
            world.until_filed()
            filed += _removed(world)
        rows["photos"].append(filed)
        rows["resident_mb"].append(_memory_mb(world.pid, "VmRSS"))
        rows["open_files"].append(_entries(world.pid, "fd"))
        rows["threads"].append(_entries(world.pid, "task"))
        tell(f"{filed} photos: {rows['resident_mb'][-1]} MB, {rows['open_files'][-1]} open files")
    world.end()
    filed += _removed(world)
    rows["photos"][-1] = filed
    world.check_nothing_lost()
    return rows


def _removed(world: World) -> int:
    """Take away what is filed; each must be one that was put in and not taken away before."""
    count = 0
    for path in list(world.output.glob("*/*.jpg")):
        key = digest(path.read_bytes())
        world.inputs -= type(world.inputs)([key])
        path.unlink()
        count += 1
    return count


def _entries(pid: int, name: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{name}").iterdir())


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return round(int(line.split()[1]) / 1024, 1)
    raise ValueError(f"no {name} in /proc/{pid}/status")
