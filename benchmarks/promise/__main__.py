"""The long proofs of the promise: a real daemon, real files, real kernel events, and faults from outside.

    python -m benchmarks.promise kills --count 1000

Run it from the clone's root, in the environment of `make test`; `calls` and `faults` need strace. Each proof prints
what it counted, ends with exit code 1 if a photo was lost, doubled or left, and has a short form among the tests.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks.promise import faults as fault
from benchmarks.promise import flood, fuzz, kills, moving, soak
from benchmarks.promise.labels.storms import storms
from benchmarks.promise.world import BrokenError, World
from common.options import json_option
from daemon.photo import Mode

Proof = Callable[[World, Callable[[str], None]], dict[str, Any]]


@click.group()
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; by default a temporary folder.")
@click.option("--output", type=click.Path(path_type=Path), help="A folder on another file system for what is filed.")
@json_option("the counts as one JSON object")
@click.pass_context
def main(ctx: click.Context, folder: Path | None, output: Path | None, as_json: bool) -> None:
    """Prove the promise at length: no photo lost, doubled, half-written or overwritten, whatever is killed or full."""
    ctx.obj = (folder, output, as_json)


def _prove(name: str, proof: Proof) -> None:
    folder, output, as_json = click.get_current_context().obj
    started_s = time.monotonic()
    work = Path(tempfile.mkdtemp(dir=folder, prefix="promise-"))
    elsewhere = Path(tempfile.mkdtemp(dir=output, prefix="promise-")) if output else work
    world = World(work, elsewhere / "out")
    try:
        counts = proof(world, lambda line: None if as_json else click.echo(line))
    except BrokenError as error:
        raise click.ClickException(f"{name}: {error}. What there was lies in {work} and {elsewhere}.") from error
    finally:
        world.close()
    for made in {work, elsewhere}:
        shutil.rmtree(made)
    counts |= {"seconds": round(time.monotonic() - started_s)}
    click.echo(json.dumps({name: counts}) if as_json else f"{name}: held. " + _told(counts))


def _told(counts: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in counts.items())


_seed = click.option("--seed", default=0, show_default=True, help="Of what is drawn.")


@main.command("kills")
@click.option("--count", default=1000, show_default=True, help="How many kills.")
@_seed
def _kills(count: int, seed: int) -> None:
    """Kill the daemon under load at random moments, and start it again each time."""
    _prove("kills", lambda world, tell: kills.random_kills(world, count, seed, tell))


@main.command("calls")
@click.option("--most", default=0, help="Only the first so many of each call; 0 for all.")
def _calls(most: int) -> None:
    """Kill `sort` at the first, second, third... of each system call of the protocol."""
    _prove("calls", lambda world, tell: kills.kills_at_calls(world, kills.CALLS, most, tell))


_mode = click.option(
    "--mode", type=click.Choice([mode.value for mode in Mode]), default="move", help="How photos are filed."
)
_step = click.option("--step", default=1, show_default=True, help="Only every so-manieth call.")


@main.command("undo")
@_mode
@_step
def _undo(mode: str, step: int) -> None:
    """Start a daemon at each system call of a running `undo`, and after a kill of one at each of them."""
    _prove("undo", partial(_moves, moving.undoing, mode, step))


@main.command("refile")
@_mode
@_step
@click.option("--back", is_flag=True, help="The `undo` of one instead.")
def _refile(mode: str, step: int, back: bool) -> None:
    """Start a daemon at each system call of a running `refile`, and after a kill of one at each of them."""
    _prove("refile", partial(_moves, moving.undoing_a_refiling if back else moving.refiling, mode, step))


@main.command("bulk-file")
@_mode
@_step
def _bulk_file(mode: str, step: int) -> None:
    """Give `bulk file` again after a kill at each of its system calls, or let a daemon go on."""

    def _kill(world: World, tell: Callable[[str], None]) -> dict[str, Any]:
        world.options = ("--mode", mode)
        world.put(range(kills.PHOTOS))
        one = moving.bulk_filing(world)
        itself = moving.killed_at_calls(world, one, moving.again(one), tell, step=step)
        by_daemon = moving.killed_at_calls(world, one, moving.sort, tell, step=step)
        return itself | {"kills settled by a daemon": by_daemon["kills"]}

    _prove("bulk-file", _kill)


def _moves(
    command: Callable[[World], moving.Moving], mode: str, step: int, world: World, tell: Callable[[str], None]
) -> dict[str, Any]:
    world.options = ("--mode", mode)
    world.put(range(kills.PHOTOS))
    moving.sort(world)
    one = command(world)
    killed = moving.killed_at_calls(world, one, moving.sort, tell, step=step)
    return killed | moving.moved_under_starts(world, one, moving.sort, tell, step=step)


@main.command("faults")
@click.option("--most", default=0, help="Only the first so many of each call and error; 0 for all.")
def _faults(most: int) -> None:
    """Let each system call fail once with EIO, ENOSPC, EACCES and EMFILE while photos are filed."""
    _prove("faults", lambda world, tell: fault.faults(world, fault.CALLS, fault.ERRORS, most, tell))


@main.command("labels")
@click.option("--count", default=200, show_default=True, help="How many groups of doings.")
@_seed
def _labels(count: int, seed: int) -> None:
    """Move, copy, edit and delete filed photos beside a daemon that is killed: are labels what docs/labels.md says?"""
    _prove("labels", lambda world, tell: storms(world, count, seed, tell))


@main.command("overflow")
@click.option("--count", default=100_000, show_default=True, help="How many files.")
def _overflow(count: int) -> None:
    """Put more files in than the kernel's queue of events holds while the daemon is stopped."""
    _prove("overflow", lambda world, tell: flood.overflow(world, count, tell))


@main.command("soak")
@click.option("--count", default=1_000_000, show_default=True, help="How many files.")
@click.option("--moments", default=50, show_default=True, help="How often the process is looked at.")
@click.option("--patience", default=120.0, show_default=True, help="Seconds without progress that count as stuck.")
def _soak(count: int, moments: int, patience: float) -> None:
    """Pass many files through one process: memory, open files and threads must stay flat.

    Beside other work, give it the lowest priority and more patience.
    """

    def proof(world: World, tell: Callable[[str], None]) -> dict[str, Any]:
        world.patience_s = patience
        return dict(soak.soak(world, count, tell, moments))

    _prove("soak", proof)


@main.command("fuzz")
@click.option("--count", default=10_000, show_default=True, help="How many mutated photos.")
@_seed
def _fuzz(count: int, seed: int) -> None:
    """File damaged photos of every format: each is filed or failed with a reason."""
    _prove("fuzz", lambda world, tell: fuzz.fuzz(world, count, seed, tell))


@main.command("names")
@click.option("--count", default=1000, show_default=True, help="How many names.")
@_seed
def _names(count: int, seed: int) -> None:
    """File photos under hostile names: each keeps its name."""
    _prove("names", lambda world, tell: fuzz.names(world, count, seed, tell))


if __name__ == "__main__":
    main()
