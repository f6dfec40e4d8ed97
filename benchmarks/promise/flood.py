"""More files at once than the kernel's queue of events holds: none left, none twice."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.promise.world import World

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


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return round(int(line.split()[1]) / 1024, 1)
    raise ValueError(f"no {name} in /proc/{pid}/status")
