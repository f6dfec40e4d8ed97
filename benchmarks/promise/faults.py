"""One system call of a running daemon fails once, with each error that matters, at each place of the protocol."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.promise.world import BrokenError, World

Tell = Callable[[str], None]
CALLS = ("openat", "read", "renameat2", "link", "fsync", "fdatasync", "pwrite64", "unlink", "mkdir", "newfstatat")
ERRORS = ("EIO", "ENOSPC", "EACCES", "EMFILE")
PHOTOS = 3
ATTACH_S = 30.0
RECORD_S = 10.0
"""How long outcomes are waited for, once all photos are moved: an outcome whose sync failed waits for a next one."""


def faults(world: World, calls: Sequence[str], errors: Sequence[str], most: int, tell: Tell) -> dict[str, int]:
    """Let the first, second, third... of each call fail once while photos are filed, until none is left to fail.

    The daemon may end over it, then it is started again; in the end every photo must be filed, none marked as failed:
    a trouble of the disk is not the photo's fault.

    Args:
        most: the last one to try of each call and error, 0 for all.

    Raises:
        BrokenError: a photo was lost, doubled, left or failed. FileNotFoundError: without strace.
    """
    done = {"faults": 0, "ended by one": 0, "photos": 0}
    world.start()
    for call in calls:
        for error in errors:
            when = 1
            while (not most or when <= most) and _fault(world, call, error, when, done):
                when += 1
        tell(f"{call}: {done['faults']} faults so far, ended by one {done['ended by one']} times, none lost")
    world.end()
    world.check()
    if any((world.output / "_failed").glob("*.jpg")):
        raise BrokenError("a photo was failed for a fault of the disk")
    return done


def _fault(world: World, call: str, error: str, when: int, done: dict[str, int]) -> bool:
    """Inject one fault; returns whether the call was reached."""
    log = world.folder / "strace.log"
    log.unlink(missing_ok=True)
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]
    strace = subprocess.Popen(
        ["strace", "-f", "-o", log, *inject, "-p", str(world.pid)], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr is not None
    strace.stderr.readline()  # "attached"
    world.put(range(done["photos"], done["photos"] + PHOTOS))
    done["photos"] += PHOTOS
    ended = _until_filed_or_ended(world)
    _until_hit_or_recorded(world, log)
    strace.terminate()
    strace.communicate()
    hit = "INJECTED" in log.read_text(errors="replace")
    done["faults"] += hit
    done["ended by one"] += ended
    if ended:
        world.start()
        world.until_filed()
    world.check_nothing_lost()
    return hit


def _until_hit_or_recorded(world: World, log: Path) -> None:
    """Photos are moved before they are synced and recorded: the call may still be to come."""
    end_s = time.monotonic() + RECORD_S
    while "INJECTED" not in log.read_text(errors="replace") and not world.is_recorded() and time.monotonic() < end_s:
        time.sleep(0.01)


def _until_filed_or_ended(world: World) -> bool:
    assert world.process is not None
    end_s = time.monotonic() + ATTACH_S
    while world.process.poll() is None:
        if not any(entry.suffix == ".jpg" for entry in world.inbox.iterdir()):
            return False
        if time.monotonic() > end_s:
            raise BrokenError(f"photos stay in the inbox after a single fault: {world.errors()}")
        time.sleep(0.01)
    return True
