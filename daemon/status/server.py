"""Answers requests on the socket in HTTP/1.0, without ever waiting for a caller.

The same thread feeds the watchdog, so no call here may block. Size and time of a request are bounded, few callers are
served at once, and an answer is made at most a few times a second.
"""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from daemon.status.unix_socket import ListeningSocket

MAX_CALLERS = 8
"""Callers served at once. One more drops the oldest, because a caller that sends its request is served at once."""
REQUEST_BYTES = 4096
PATIENCE_S = 2.0
"""How long a caller may take to send its request and to read the answer."""
CACHE_S = 0.25
"""How long an answer is reused."""
ACCEPT_PAUSE_S = 1.0
"""Pause after no descriptor was free for a caller. The waiting caller would otherwise wake the thread all the time."""
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


class Answer(NamedTuple):
    """The answer to a request."""

    status: str
    kind: str
    body: bytes

    def whole(self) -> bytes:
        """Return head and body."""
        head = f"HTTP/1.0 {self.status}\r\nContent-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}Connection: close\r\n\r\n".encode() + self.body


@dataclass(slots=True)
class _Caller:
    socket: socket.socket
    until_s: float
    asked: bytes = b""
    answer: bytes = b""


class StatusServer:
    """Serves callers; used by one thread.

    Args:
        listening: the socket.
        answer: makes the answer for a path such as `/status`; None for an unknown path.
    """

    def __init__(self, listening: ListeningSocket, answer: Callable[[str], Answer | None]) -> None:
        self._listening = listening
        self._answer = answer
        self._callers: dict[int, _Caller] = {}
        self._cached: dict[str, tuple[float, bytes]] = {}
        self._accepts_at_s = 0.0

    def interests(self) -> Iterator[tuple[int, int]]:
        """Yield the descriptors to poll, and the events."""
        if not self._accepts_at_s:
            yield self._listening.socket.fileno(), select.POLLIN
        for number, caller in self._callers.items():
            yield number, select.POLLOUT if caller.answer else select.POLLIN

    def due_s(self) -> float:
        """Return when to call `tick`, on the monotonic clock."""
        ends = [caller.until_s for caller in self._callers.values()]
        return min([*ends, self._accepts_at_s or float("inf")])

    def tick(self, now_s: float) -> None:
        """Drop callers whose time is over, and accept new ones again."""
        if self._accepts_at_s <= now_s:
            self._accepts_at_s = 0.0
        for number in [number for number, caller in self._callers.items() if caller.until_s <= now_s]:
            self._drop(number)

    def serve(self, number: int, now_s: float) -> None:
        """Serve a ready descriptor without blocking."""
        if number == self._listening.socket.fileno():
            self._accept(now_s)
        elif number in self._callers and not self._advance(self._callers[number], now_s):
            self._drop(number)

    def close(self) -> None:
        """Drop all callers, and remove the socket."""
        for number in list(self._callers):
            self._drop(number)
        self._listening.close()

    def _accept(self, now_s: float) -> None:
        try:
            caller, _ = self._listening.socket.accept()
        except OSError as error:  # the caller hung up, or no descriptor is free
            if error.errno in _NO_ROOM:
                self._accepts_at_s = now_s + ACCEPT_PAUSE_S
            return
        caller.setblocking(False)
        if len(self._callers) >= MAX_CALLERS:
            self._drop(next(iter(self._callers)))
        self._callers[caller.fileno()] = _Caller(caller, now_s + PATIENCE_S)

    def _advance(self, caller: _Caller, now_s: float) -> bool:
        """Read or write without blocking; False when the call is over."""
        try:
            if not caller.answer:
                received = caller.socket.recv(REQUEST_BYTES)
                caller.asked += received
                if b"\n\r\n" not in caller.asked and b"\n\n" not in caller.asked:
                    return bool(received) and len(caller.asked) < REQUEST_BYTES
                caller.answer = self._answer_to(caller.asked, now_s)
            sent = caller.socket.send(caller.answer)
        except BlockingIOError:
            return True
        except OSError:
            return False
        caller.answer = caller.answer[sent:]
        return bool(caller.answer)

    def _answer_to(self, asked: bytes, now_s: float) -> bytes:
        words = asked.split(b"\n", 1)[0].decode("ascii", "replace").split()
        if len(words) != 3 or words[0] != "GET":
            return Answer("400 Bad Request", TEXT, b"Ask: GET /status HTTP/1.0, or /metrics.\n").whole()
        path = words[1].partition("?")[0]
        at_s, answer = self._cached.get(path, (-float("inf"), b""))
        if now_s - at_s > CACHE_S:
            made = self._answer(path)
            if made is None:
                return Answer("404 Not Found", TEXT, b"There are /status and /metrics.\n").whole()
            answer = made.whole()
            self._cached[path] = (now_s, answer)
        return answer

    def _drop(self, number: int) -> None:
        self._callers.pop(number).socket.close()
