"""Who is at work on what, and since when: how a stuck part of the daemon is told from a slow or an idle one.

A thread that rests is in no call, so an idle daemon beats for ever; so does one that is paused, for it comes round to
look again. A call that takes long is not stuck while its stage ends others, nor while it moves bytes: a large photo
on its way to a slow share takes minutes, and would only begin anew in the next process.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STUCK_S = 240.0
"""A stage that ended no call and moved no byte for so long is stuck. Decoding one photo in a child may take 180 s."""
HOPELESS_S = 900.0
"""So is a single call that moved nothing for so long, though its stage gets on."""


@dataclass(slots=True)
class _Call:
    began_s: float
    moved: int = -1
    moved_s: float = 0.0


class Heartbeat:
    """The calls that the threads of one stage are in; each thread notes its own.

    Args:
        monotonic_s: time.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._now_s = monotonic_s
        self._calls: dict[int, _Call] = {}
        self._ended_s = monotonic_s()

    def begin(self) -> None:
        """Note that the calling thread sets out on a call, also if it is in one: then that one has ended."""
        now_s = self._now_s()
        self._calls[threading.get_ident()] = _Call(now_s, moved_s=now_s)
        self._ended_s = now_s

    def end(self) -> None:
        """Note that the calling thread rests."""
        self._calls.pop(threading.get_ident(), None)
        self._ended_s = self._now_s()

    def stuck(self, now_s: float, moved: Callable[[int], int]) -> tuple[int, float] | None:
        """Return the thread that is stuck, and for how long in seconds; None if none is.

        Args:
            now_s: the time.
            moved: tells how many bytes a thread has read and written so far; negative if nobody knows.
        """
        for thread, call in list(self._calls.items()):
            if now_s - call.began_s > STUCK_S / 8 and (total := moved(thread)) != call.moved:
                call.moved, call.moved_s = total, now_s
            still_s = now_s - call.moved_s
            if still_s > HOPELESS_S or min(still_s, now_s - self._ended_s) > STUCK_S:
                return thread, now_s - call.began_s
        return None


def stuck_stage(heartbeat: Mapping[str, Heartbeat], now_s: float, moved: Callable[[int], int]) -> str:
    """Say which stage is stuck, where in the code, and for how long; empty if none is."""
    for stage, beat in list(heartbeat.items()):
        found = beat.stuck(now_s, moved)
        if found is not None:
            return f"the stage '{stage}' has been in one call for {found[1]:.0f} s{_place(found[0])}"
    return ""


def bytes_moved(thread: int) -> int:
    """Return how many bytes a thread of this process has read and written; -1 where the kernel does not say."""
    number = next((one.native_id for one in threading.enumerate() if one.ident == thread), None)
    with suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/self/task/{number}/io").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines[:2])
    return -1


def _place(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return f" ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})" if frame is not None else ""
