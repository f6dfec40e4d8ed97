"""kill -9, at random moments over a running load and at every system call of the protocol, one after the other."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from benchmarks.promise.world import BrokenError, World

Tell = Callable[[str], None]
CALLS = ("renameat2", "link", "linkat", "symlink", "mkdir", "unlink", "fsync", "fdatasync", "pwrite64", "openat")
"""The protocol's; those that a way of filing does not use are simply never reached."""
PHOTOS = 6


def random_kills(world: World, kills: int, seed: int, tell: Tell) -> dict[str, int]:
    """Kill a daemon under load `kills` times, then let it finish.

    Each life lasts a random time, a fifth of them not even until it is ready.

    Raises:
        BrokenError: a photo was lost at any kill, or at the end one is not in exactly one place.
    """
    rng, number = random.Random(seed), 0
    for kill in range(kills):
        world.put(range(number, number + 10))
        number += 10
        if rng.random() < 0.2:
            _kill_early(world, rng)
        else:
            number = _kill_at_work(world, rng, number)
        world.check_nothing_lost()
        if kill % 50 == 49:
            tell(f"{kill + 1} kills, {number} photos, none lost")
    _finish(world)
    return {"kills": kills, "photos": number}


def _kill_early(world: World, rng: random.Random) -> None:
    process = subprocess.Popen(
        world.command("watch"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=world.environment
    )
    time.sleep(rng.uniform(0.1, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()


def _kill_at_work(world: World, rng: random.Random, number: int) -> int:
    """Kill it a random moment after it is ready, while more photos come in; returns the next photo's number."""
    stop, put = threading.Event(), [number]

    def load() -> None:
        while not stop.is_set():
            world.put([put[0]])
            put[0] += 1
            stop.wait(0.002)

    world.start()
    producer = threading.Thread(target=load)
    producer.start()
    time.sleep(rng.expovariate(1 / 0.1))
    world.end(signal.SIGKILL)
    stop.set()
    producer.join()
    return put[0]


def _finish(world: World) -> None:
    world.start()
    world.until_filed()
    if world.end():
        raise BrokenError(f"the daemon did not end well: {world.errors()}")
    world.check()


def kills_at_calls(world: World, calls: Sequence[str], most: int, tell: Tell) -> dict[str, int]:
    """Kill `sort` at the first, second, third... of each system call until a run needs no more of them.

    Args:
        most: the last one to try of each call, 0 for all.

    Raises:
        BrokenError: as `random_kills`; FileNotFoundError without strace.
    """
    done: dict[str, int] = {}
    number = 0
    for call in calls:
        when = 1
        while not most or when <= most:
            world.put(range(number, number + PHOTOS))
            number += PHOTOS
            if not _killed_at(world, call, when):
                break
            world.check_nothing_lost()
            done[call] = when
            when += 1
        tell(f"{call}: killed at {done.get(call, 0)} places, {number} photos, none lost")
    _finish(world)
    return done | {"photos": number}


def _killed_at(world: World, call: str, when: int) -> bool:
    """Run `sort` until its `when`th call, counted from the start of the process; False if it ended by itself."""
    # Opening files is what an interpreter does all the time: only those of the inbox's and output's are of interest.
    paths = [word for path in (world.inbox, world.output) for word in ("-P", str(path))] if call == "openat" else []
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
    words = ["strace", "-f", "-qq", "-o", os.devnull, *paths, *inject, *world.command("sort")]
    ended = subprocess.run(words, capture_output=True, env=world.environment, timeout=300)
    if ended.returncode not in (0, -9, 137):
        raise BrokenError(f"{call} {when}: exit code {ended.returncode}, {ended.stderr[-500:]!r}")
    return ended.returncode != 0
