"""Log lines wait in memory for a slow, stalled or closed reader, so that filing does not wait.

A separate thread writes the lines, because a write to a full pipe, a stopped terminal or a stalled journal blocks. The
memory is bounded. When it is full, unimportant lines are dropped and counted, and important ones replace the oldest. A
line with the count stands where lines are missing. Lines that cannot be written (closed pipe, full disk) are counted
in the same way, and each new line is another attempt.
"""

import fcntl
import os
import select
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from math import inf

MOST_BYTES = 16 << 20
"""Bytes that wait for a reader at most: 25,000 JSON lines, or 200,000 sentences."""
SPARE_BYTES = MOST_BYTES // 16
"""The part of `MOST_BYTES` that is reserved for important lines."""
SHOWN_BYTES = 64 << 10
"""A progress bar is not drawn while more than this waits, because it would be out of date."""
PIECE_BYTES = select.PIPE_BUF
"""Bytes of one write: a pipe takes up to this many at once, and small writes show the progress of the reader."""
LOOK_S = 0.1

Text = tuple[bytes, bool]
"""A line with its line end, and whether it is important."""


class LogQueue:
    """Writes lines to a descriptor; any thread may call its methods.

    Args:
        descriptor: the queue writes to a copy of it.
        gap: makes the line with the number of missing lines.
        patience_s: how long `put` with `wait`, `flush` and `close` wait for a reader that reads nothing.
    """

    def __init__(self, descriptor: int, gap: Callable[[int], bytes], *, patience_s: float) -> None:
        self._descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
        self._gap = gap
        self._patience_s = patience_s
        self._poller = select.poll()
        self._poller.register(self._descriptor, select.POLLOUT)
        lock = threading.Lock()
        self._filled, self._drained = threading.Condition(lock), threading.Condition(lock)
        self._waiting: deque[bytes | int] = deque()  # lines, and between them numbers of missing lines
        self._bytes = 0
        self._crowded = self._resting = self._ended = False
        self._in_hand = 0
        self._missed = 0
        self._written = 0
        self._progress = (-1, 0.0)
        self._thread: threading.Thread | None = None

    def put(self, lines: Iterable[Text], *, wait: bool = False) -> None:
        """Queue lines; with `wait`, wait for room as long as the reader reads."""
        with self._filled:
            for line, matters in lines:
                if wait:
                    self._wait_until(partial(self._has_room, line), inf)
                if matters:
                    self._push_out(len(line))
                elif not self._has_room(line):
                    self._leave_out()
                    continue
                self._append(line)

    def show(self, picture: bytes) -> None:
        """Queue a picture that is useful only now; it may be dropped without being counted."""
        with self._filled:
            if self._bytes < SHOWN_BYTES:
                self._append(picture)

    def flush(self, most_s: float = inf) -> int:
        """Wait until all lines are written, as long as the reader reads; returns how many it has not taken."""
        with self._filled:
            self._wait_until(lambda: not self._waiting and not self._in_hand, most_s)
            return self._in_hand + sum(line if isinstance(line, int) else 1 for line in self._waiting)

    def close(self, most_s: float = inf) -> int:
        """Flush and end; the thread of a stalled reader ends with the process, or when the reader reads again."""
        left = self.flush(most_s)
        with self._filled:
            self._ended = True
            self._waiting.clear()
            self._filled.notify()
        if self._thread is None:
            os.close(self._descriptor)
        elif not left:
            self._thread.join()
        return left

    def _append(self, line: bytes) -> None:
        self._waiting.append(line)
        self._bytes += len(line)
        self._crowded = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
            self._thread.start()
        if self._resting:
            self._filled.notify()

    def _has_room(self, line: bytes) -> bool:
        """Tell whether an unimportant line fits. After a drop half must be free; otherwise gaps are many."""
        most = MOST_BYTES // 2 if self._crowded else MOST_BYTES - SPARE_BYTES
        return self._bytes + len(line) <= most

    def _push_out(self, wanted_bytes: int) -> None:
        missing = 0
        while self._waiting and self._bytes + wanted_bytes > MOST_BYTES:
            oldest = self._waiting.popleft()
            missing += oldest if isinstance(oldest, int) else 1
            self._bytes -= 0 if isinstance(oldest, int) else len(oldest)
        if missing:
            self._waiting.appendleft(missing)

    def _leave_out(self) -> None:
        self._crowded = True
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, int):
            self._waiting[-1] = last + 1
        else:
            self._waiting.append(1)

    def _wait_until(self, true: Callable[[], bool], most_s: float) -> None:
        end_s = time.monotonic() + most_s
        while not true():
            now_s = time.monotonic()
            if now_s >= end_s or not self._reads_on(now_s):
                return
            self._drained.wait(LOOK_S)

    def _reads_on(self, now_s: float) -> bool:
        """Tell whether the reader took a byte within its patience."""
        taken = self._written - unread(self._descriptor)
        if taken != self._progress[0]:
            self._progress = (taken, now_s)
        return now_s - self._progress[1] < self._patience_s

    def _run(self) -> None:
        """Write until the end, without the lock during a write."""
        try:
            while piece := self._next():
                missing, count, text = piece
                try:
                    self._write(self._gap(missing) + text if missing else text)
                except OSError:  # a closed pipe, a vanished terminal, a full disk
                    self._missed = missing + count
        finally:
            os.close(self._descriptor)

    def _next(self) -> tuple[int, int, bytes] | None:
        """Wait for lines and take some; returns the number missing before them, their number, and their text."""
        with self._filled:
            self._in_hand = 0
            self._drained.notify_all()
            while not self._waiting:
                if self._ended:
                    return None
                self._resting = True
                self._filled.wait()
            self._resting = False
            missing, self._missed = self._missed, 0
            while self._waiting and isinstance(self._waiting[0], int):
                missing += self._waiting.popleft()  # type: ignore[operator]
            lines: list[bytes] = []
            length = 0
            while self._waiting and isinstance(line := self._waiting[0], bytes):
                length += len(line)
                if lines and length > PIECE_BYTES:
                    break
                lines.append(line)
                self._waiting.popleft()
                self._bytes -= len(line)
            self._in_hand = len(lines) + missing
        return missing, len(lines), b"".join(lines)

    def _write(self, text: bytes) -> None:
        rest = memoryview(text)
        while rest:
            try:
                written = os.write(self._descriptor, rest[:PIECE_BYTES])
            except BlockingIOError:  # another process that shares the stream made it non-blocking
                self._poller.poll()
                continue
            self._written += written
            rest = rest[written:]


def unread(descriptor: int) -> int:
    """Return how many bytes of a pipe have not been read; 0 for anything else."""
    with suppress(OSError):
        return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])
    return 0
