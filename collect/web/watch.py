"""The time that one download may take, and a socket that keeps to it.

A timeout of a socket alone bounds each read, and a server that sends one byte now and then would hold it for days. Here
every read, of headers too, gets what is left of the whole time.
"""

import io
import socket
from collections.abc import Callable
from dataclasses import dataclass

from collect.errors import FetchError


@dataclass(frozen=True)
class Limits:
    """What one download may take.

    Attributes:
        photo_bytes: largest photo.
        answer_bytes: largest answer of a service.
        total_s: time of a download with its redirects.
        stall_s: time without a byte.
        least_bytes_per_s: mean rate, asked for after `grace_s`.
        redirects: how many are followed.
    """

    photo_bytes: int = 32 << 20
    answer_bytes: int = 4 << 20
    total_s: float = 60.0
    stall_s: float = 15.0
    least_bytes_per_s: float = 2_000.0
    grace_s: float = 10.0
    redirects: int = 5


class Watch:
    """Measures one download.

    Args:
        limits: what it may take.
        clock: returns seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock, self._began_s, self._bytes = limits, clock, clock(), 0

    def wait_s(self) -> float:
        """Return how long the next step may take.

        Raises:
            FetchError: the time is over, or too little has come so far.
        """
        limits, passed_s = self._limits, self._clock() - self._began_s
        if passed_s >= limits.total_s:
            raise FetchError(f"it took longer than {limits.total_s:g} s")
        if passed_s > limits.grace_s and self._bytes < limits.least_bytes_per_s * passed_s:
            raise FetchError(f"it came slower than {limits.least_bytes_per_s:g} bytes a second")
        return min(limits.total_s - passed_s, limits.stall_s)

    def count(self, received: int) -> None:
        """Count bytes that came."""
        self._bytes += received


class WatchedSocket:
    """What http.client asks of a socket. Who opened the inner one closes it."""

    def __init__(self, inner: socket.socket, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    def sendall(self, data: bytes) -> None:
        """Send a request."""
        self._inner.settimeout(self._watch.wait_s())
        self._inner.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what the answer is read from."""
        return io.BufferedReader(_Reader(self._inner, self._watch))

    def close(self) -> None:
        """Do nothing: http.client closes its socket before it has read the body."""


class _Reader(io.RawIOBase):
    def __init__(self, inner: socket.socket, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        self._inner.settimeout(self._watch.wait_s())
        received = self._inner.recv_into(buffer)
        self._watch.count(received)
        return received
