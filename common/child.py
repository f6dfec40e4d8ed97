"""Child processes of ours: where they import from, that they end with their parent, and that it ends tidily."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

_ROOT = str(Path(__file__).parents[1])
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def environment() -> dict[str, str]:
    """Return the environment of a child that imports from where this process does, installed or not."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), _ROOT])}


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends.

    A process that changes its user has to ask again, because the kernel forgets the request then (prctl(2)).
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def give_up_root(uid: int, gid: int, groups: list[int]) -> None:
    """Give up root's rights for good, and take those of another user."""
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def be_the_first_to_go() -> None:
    """Let the kernel take this process, and not its parent, if memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def signal_name(number: int) -> str:
    """Return the name of a signal; a real-time signal has none, and is called by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def tidy_end() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end this process as an error does, so that no temporary folder is left."""
    numbers = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
