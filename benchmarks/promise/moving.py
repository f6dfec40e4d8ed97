"""A daemon starts at each system call of a running `undo` or `refile`, and after a kill -9 of one at each of them.

`bulk file` is the daemon itself while it runs. So it is only killed; the same command, or a daemon, goes on.
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.promise.kills import CALLS
from benchmarks.promise.stepped import stepper
from benchmarks.promise.world import STATES, BrokenError, World, contents, files
from daemon.filing.unresolved import UnresolvedMoves
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover, lock_state
from daemon.ledger.schema import TAKEN_BACK
from daemon.ledger.state_folder import LEDGER
from daemon.process.clock import Clock
from daemon.startup_recovery import recover
from tests.colour_model import LABELS, colour_model

Tell = Callable[[str], None]
Start = Callable[[World], None]
SWAPPED = ("green", "red", "blue")
"""Classes of a model that takes red for green and green for red."""


class Moving(NamedTuple):
    """A command that moves photos.

    Attributes:
        words: of the command.
        mover: whose rows it writes.
        done: tells whether all photos lie where the command puts them.
    """

    words: tuple[str, ...]
    mover: Mover
    done: Callable[[World], bool]


def undoing(_: World) -> Moving:
    """Take all photos back to the inbox."""
    words = ("undo", "--last", "99")
    return Moving(words, Mover.UNDO, lambda world: world.keeps or not list(files(world.output)))


def refiling(world: World) -> Moving:
    """Move the red photos to green and the green ones to red, because another model serves from now on."""
    other = world.folder / "swapped.onnx"
    other.write_bytes(colour_model(SWAPPED))
    _run(world, "model", "use", str(other))
    return Moving(("refile", "--all"), Mover.REFILE, lambda world: _is_swapped(world, SWAPPED))


def undoing_a_refiling(world: World) -> Moving:
    """Move refiled photos back to the classes that they came from."""
    _run(world, *refiling(world).words)
    moved = sum(LABELS[int(path.stem) % 3] in SWAPPED[:2] for path in files(world.output))
    return Moving(("undo", "--last", str(moved)), Mover.UNDO, lambda world: _is_swapped(world, LABELS))


def bulk_filing(world: World) -> Moving:
    """File what a run said of all photos in the inbox."""
    plan, results = (str(world.folder / name) for name in ("plan", "results"))
    world.output.mkdir(exist_ok=True)  # it is saved before the first kill
    _run(world, "bulk", "plan", str(world.inbox), "--output", plan)
    _run(world, "bulk", "run", plan, "--output", results, "--model", str(world.model), "--workers", "1")
    words = ("bulk", "file", results, "--inbox", str(world.inbox), "--output", str(world.output), *world.options)
    return Moving(words, Mover.DAEMON, lambda world: world.keeps or not list(files(world.inbox)))


def again(moving: Moving) -> Start:
    """Return what gives the same command again, which must do the rest."""

    def _again(world: World) -> None:
        _run(world, *moving.words)
        if not moving.done(world) or _is_swapped(world, SWAPPED):
            raise BrokenError(f"{moving.words[0]} did not go on after a kill")

    return _again


def start_up(world: World) -> None:
    """Do here what a daemon does at its start before it files; for the undo, this is another process."""
    paths = partial(scan, PathFilter(world.inbox, left_out=[world.output]))
    with closing(Ledger(world.state / LEDGER)) as ledger, lock_state(world.state):
        recover(ledger, world.state, time.time(), UnresolvedMoves(Clock(), paths), lambda _: None)


def sort(world: World) -> None:
    """Run a whole daemon that files what it may. While another process commits, only its start is possible."""
    if _is_writing(world):
        start_up(world)
        return
    done = subprocess.run(world.command("sort"), capture_output=True, text=True, env=world.environment, timeout=300)
    if done.returncode:
        raise BrokenError(f"`sort` ended with {done.returncode}: {done.stderr[-500:]}")


def moved_under_starts(
    world: World, moving: Moving, start: Start, tell: Tell, calls: Sequence[str] = CALLS, step: int = 1
) -> dict[str, int]:
    """Move photos while a daemon starts after each system call of the command.

    Args:
        step: from one start to the next.

    Raises:
        BrokenError: a start settled a row of the running command, or a photo was lost, doubled or not moved.
        FileNotFoundError: without strace.
    """
    starts = 0
    # The ledger is open all the time: the first to open it locks all others out, which may not stand still meanwhile.
    with closing(Ledger(world.state / LEDGER)) as ledger, stepper(world.environment, calls) as steps:
        for number in steps.stops(*moving.words):
            if number % step:
                continue
            before = list(ledger.open_intents(moving.mover))
            start(world)
            if list(ledger.open_intents(moving.mover)) != before:
                raise BrokenError(f"a start at call {number} settled rows of the running {moving.words[0]}")
            world.check_nothing_lost()
            starts += 1
    check_settled(world)
    if not moving.done(world):
        raise BrokenError(f"{moving.words[0]} left photos where they were")
    tell(f"{starts} starts during one {moving.words[0]}, none settled its rows")
    return {"starts": starts}


def killed_at_calls(
    world: World, moving: Moving, start: Start, tell: Tell, calls: Sequence[str] = CALLS, step: int = 1
) -> dict[str, int]:
    """Kill a command after its first, second, third... system call, then start a daemon, which must settle all.

    Args:
        step: from one kill to the next.

    Raises:
        BrokenError: rows stayed open, or a photo was lost or doubled.
        FileNotFoundError: without strace.
    """
    saved = [(path, path.with_name(f"{path.name}.saved")) for path in (world.inbox, world.output, world.state)]
    for path, copy in saved:
        _copy(path, copy)
    kills = 0
    with stepper(world.environment, calls) as steps:
        killed = True
        while killed:
            killed = steps.killed_after(kills * step + 1, *moving.words)
            kills += killed
            if killed and kills % 20 == 0:
                tell(f"{kills} kills of {moving.words[0]} so far")
            world.check_nothing_lost()
            start(world)
            check_settled(world)
            for path, copy in saved:
                _copy(copy, path)
    tell(f"{kills} kills of {moving.words[0]}, each settled by the next start of a daemon")
    return {"kills": kills}


def check_settled(world: World) -> None:
    """Raise BrokenError unless each photo is whole in one place, no row is open, and ledger and disk agree."""
    inbox, output = contents(world.inbox), contents(world.output)
    if (inbox if world.keeps else inbox + output) != world.inputs:
        raise BrokenError("a photo is lost, there twice or damaged")
    hidden = [path.name for root in (world.inbox, world.output) for path in root.rglob(".*.phototriage-*")]
    if hidden:
        raise BrokenError(f"hidden names were left: {hidden}")
    with closing(sqlite3.connect(world.state / LEDGER)) as book:
        (begun,) = book.execute("SELECT count(*) FROM photos WHERE state = 'intent'").fetchone()
        rows = book.execute(f"SELECT destination, state FROM photos WHERE undoes IS NULL AND NOT {TAKEN_BACK}")
        told = sorted(os.fsdecode(destination) for destination, state in rows if state in STATES)
    if begun or told != sorted(map(str, files(world.output))):
        raise BrokenError(f"ledger and disk differ: {begun} rows are open, and {len(told)} photos are said to be filed")


def _is_writing(world: World) -> bool:
    """Tell whether another process is inside a commit, so that no other can begin one."""
    with closing(sqlite3.connect(world.state / LEDGER, timeout=0, isolation_level=None)) as book:
        try:
            book.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def _is_swapped(world: World, labels: Sequence[str]) -> bool:
    """Tell whether each photo lies in the folder that a model with these labels gives its colour."""
    found = {path.parent.name: path for path in files(world.output)}
    return all(int(path.stem) % 3 == labels.index(folder) for folder, path in found.items())


def _run(world: World, *words: str) -> None:
    command = [sys.executable, "-m", "phototriage", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=world.environment, timeout=300)
    if done.returncode:
        raise BrokenError(f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr[-500:]}")


def _copy(folder: Path, copy: Path) -> None:
    """Make a folder the copy of another one, with hard links, links and times."""
    subprocess.run(["rm", "-rf", copy], check=True)
    subprocess.run(["cp", "-a", folder, copy], check=True)
