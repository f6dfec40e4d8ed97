"""Which thread works on what, and since when: tells a stuck stage from a slow or an idle one.

An idle thread is in no call, so an idle daemon is never stuck. A paused daemon is not stuck either, because it looks
again every few seconds. A long call is not stuck while its stage ends other calls or while it moves bytes: copying a
large photo to a slow share takes minutes, and a restarted process would have to begin again.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STUCK_S = 240.0
"""A stage is stuck if it ended no call and moved no byte for this long. Decoding in a child may take 180 s."""
HOPELESS_S = 900.0
"""A single call is stuck if it moved no byte for this long, even if its stage makes progress."""


@dataclass(slots=True)
class _Call:
    began_s: float
    moved: int = -1
    moved_s: float = 0.0


class Heartbeat:
    """The calls in which the threads of one stage are; each thread records its own.

    Args:
        monotonic_s: time.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._now_s = monotonic_s
        self._calls: dict[int, _Call] = {}
        self._ended_s = monotonic_s()

    def begin(self) -> None:
        """Record that the calling thread begins a call; a call that it was in has ended."""
        now_s = self._now_s()
        self._calls[threading.get_ident()] = _Call(now_s, moved_s=now_s)
        self._ended_s = now_s

    def end(self) -> None:
        """Record that the calling thread is idle."""
        self._calls.pop(threading.get_ident(), None)
        self._ended_s = self._now_s()

    def stuck(self, now_s: float, moved: Callable[[int], int]) -> tuple[int, float] | None:
        """Return the stuck thread and the age of its call in seconds; None if no thread is stuck.

        Args:
            now_s: the time.
            moved: returns how many bytes a thread has read and written so far; negative if that is unknown.
        """
        for thread, call in list(self._calls.items()):
            if now_s - call.began_s > STUCK_S / 8 and (total := moved(thread)) != call.moved:
                call.moved, call.moved_s = total, now_s
            still_s = now_s - call.moved_s
            if still_s > HOPELESS_S or min(still_s, now_s - self._ended_s) > STUCK_S:
                return thread, now_s - call.began_s
        return None


def stuck_stage(heartbeat: Mapping[str, Heartbeat], now_s: float, moved: Callable[[int], int]) -> str:
    """Say which stage is stuck, where in the code, and for how long; empty if no stage is stuck."""
    for stage, beat in list(heartbeat.items()):
        found = beat.stuck(now_s, moved)
        if found is not None:
            return f"the stage '{stage}' has been in one call for {found[1]:.0f} s{_place(found[0])}"
    return ""


def bytes_moved(thread: int) -> int:
    """Return how many bytes a thread of this process has read and written; -1 if the kernel does not tell."""
    number = next((one.native_id for one in threading.enumerate() if one.ident == thread), None)
    with suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/self/task/{number}/io").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines[:2])
    return -1


def _place(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return f" ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})" if frame is not None else ""
