"""Very many photos through one process: none lost, none twice, and nothing in the process grows with their number.

What is filed is checked and taken away while the daemon goes on, and no more is put in than `BACKLOG` ahead of that:
the disk holds a few thousand photos at a time, and of the whole run only the ledger's rows.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.promise.world import BrokenError, World, digest
from daemon.ledger.state_folder import LEDGER

Tell = Callable[[str], None]
BACKLOG = 3000
"""Most photos in inbox and output together; fewer than the daemon takes names of at a time, so it waits for no scan."""
SWEEP_S = 0.2
WARM = 5
"""Its share of all moments, as a divisor, is not judged: caches fill."""
MAY_GROW_MB = 8.0
"""What counts as flat from then on: over a million photos, eight bytes each."""


class Moment(NamedTuple):
    """The daemon's process when it has nothing left to do; memory is what is its alone (anonymous), and its peak."""

    photos: int
    memory_mb: float
    peak_mb: float
    open_files: int
    threads: int
    ledger_mb: float
    cpu_s: float
    wall_s: float


def soak(world: World, photos: int, tell: Tell, moments: int = 10) -> dict[str, float]:
    """Pass photos through one process, looking at it at so many moments, when all that came is filed.

    Raises:
        BrokenError: a photo was lost, left, damaged or filed twice; or memory, open files or threads grew.
    """
    world.start()
    pid, seen = world.pid, []
    started_s = time.monotonic()
    for number in range(moments):
        _pass_through(world, range(photos * number // moments, photos * (number + 1) // moments))
        seen.append(_look(world, photos * (number + 1) // moments, time.monotonic() - started_s))
        tell(_line(seen[-1], seen[-2] if number else None))
    if world.pid != pid or world.end():
        raise BrokenError(f"the daemon did not live through it: {world.errors()}")
    _check_ledger(world, photos)
    return _judged(seen)


def _pass_through(world: World, numbers: range) -> None:
    """Put photos in, and take away what is filed, until all of them have come out."""
    coming = iter(numbers)
    end_s, left = time.monotonic() + world.patience_s, len(numbers)
    while left:
        for _, number in zip(range(BACKLOG - world.inputs.total()), coming, strict=False):
            world.put([number])
        time.sleep(SWEEP_S)
        filed = _take_away(world)
        left -= filed
        if filed:
            end_s = time.monotonic() + world.patience_s
        elif time.monotonic() > end_s:
            raise BrokenError(f"{left} photos do not come out: {world.errors()}")


def _take_away(world: World) -> int:
    """Remove what is filed, each one that was put in and has not come out before; returns how many."""
    count = 0
    for path in list(world.output.glob("*/*.jpg")):
        key = digest(path.read_bytes())
        if key not in world.inputs:
            raise BrokenError(f"{path} is there twice or damaged")
        del world.inputs[key]
        path.unlink()
        count += 1
    return count


def _look(world: World, photos: int, wall_s: float) -> Moment:
    facts = dict(
        line.split(":", 1) for line in Path(f"/proc/{world.pid}/status").read_text().splitlines() if ":" in line
    )
    ticks = Path(f"/proc/{world.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return Moment(
        photos,
        _mb(int(facts["RssAnon"].split()[0]) * 1024),
        _mb(int(facts["VmHWM"].split()[0]) * 1024),
        _entries(world.pid, "fd"),
        _entries(world.pid, "task"),
        _mb(sum(file.stat().st_size for file in world.state.glob(f"{LEDGER}*"))),
        round(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), 1),
        round(wall_s, 1),
    )


def _line(now: Moment, before: Moment | None) -> str:
    photos = now.photos - (before.photos if before else 0)
    wall_s = now.wall_s - (before.wall_s if before else 0.0)
    cpu_s = now.cpu_s - (before.cpu_s if before else 0.0)
    return (
        f"{now.photos} photos: {photos / max(wall_s, 0.1):.0f}/s, {1e3 * cpu_s / photos:.2f} ms of a core each,"
        f" {now.memory_mb} MB its own (resident at most {now.peak_mb}), {now.open_files} open files,"
        f" {now.threads} threads, ledger {now.ledger_mb} MB"
    )


def _judged(seen: list[Moment]) -> dict[str, float]:
    """Sum up, or raise if something grew since the process was warm."""
    warm, last = seen[len(seen) // WARM], seen[-1]
    later = seen[len(seen) // WARM :]
    grown = [
        name
        for name, allowed in (("memory_mb", MAY_GROW_MB), ("open_files", 0), ("threads", 0))
        if max(getattr(moment, name) for moment in later) > getattr(warm, name) + allowed
    ]
    if grown:
        raise BrokenError(f"{' and '.join(grown)} grew over {last.photos} photos: from {warm} to {last}")
    return {
        "photos": last.photos,
        "lost": 0,
        "twice": 0,
        "memory_first_mb": seen[0].memory_mb,
        "memory_warm_mb": warm.memory_mb,
        "memory_last_mb": last.memory_mb,
        "resident_peak_mb": last.peak_mb,
        "open_files": last.open_files,
        "threads": last.threads,
        "ledger_mb": last.ledger_mb,
        "photos_per_s": round(last.photos / last.wall_s),
        "core_ms_per_photo": round(1e3 * last.cpu_s / last.photos, 2),
    }


def _check_ledger(world: World, photos: int) -> None:
    with closing(sqlite3.connect(world.state / LEDGER)) as book:
        rows = Counter(dict(book.execute("SELECT state, count(DISTINCT sha256) FROM photos GROUP BY state").fetchall()))
        total = book.execute("SELECT count(*) FROM photos").fetchone()[0]
    if rows != Counter(filed=photos) or total != photos:
        raise BrokenError(f"of {photos} photos the ledger tells {dict(rows)} in {total} rows")


def _entries(pid: int, name: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{name}").iterdir())


def _mb(size: int) -> float:
    return round(size / 2**20, 1)
