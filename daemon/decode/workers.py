"""The daemon's end: a child for each reading thread, and what happens to a photo that kills a child.

A thread that waits for its child does not hold Python's lock, so many cores can decode at once. Dangerous photos
(`daemon/decode/guard.py`) go the same way as without children. A photo that kills or hangs a child becomes a suspect,
as if it had killed the daemon: it is decoded in a separate process, and is at fault only if that fails too.
"""

import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Literal

from common.errors import Reason
from contract.geometry import Geometry
from daemon.decode.budget import SMALL_BYTES, Budget
from daemon.decode.guard import HANG_S, Guard
from daemon.decode.isolated import StoppedError
from daemon.decode.protocol import READY, question, room, understood, wait_at_most
from daemon.decode.suspects import CrashJournal
from daemon.photo import NOT_READ, Found, Read
from daemon.process.child import start_module, wait_or_kill
from daemon.process.cores import usable_cores

FEW_CORES = 4
"""Up to this many cores, threads of one process reach 0.95 or more of the cores' throughput."""
IDLE_S = 60.0
"""A child that was started for a backlog ends after this long without work."""
_START_S = 60.0
_END_S = 5.0


class DecodePool:
    """Decodes for the threads that ask, each with a child of its own.

    Args:
        notes: what is in a decoder.
        budget: of memory for the bytes that are read, the daemon's and the children's.
        eager: start a thread's child with its first photo and wait for it; else only in a backlog, and until the child
            is ready, and for what comes one by one, the thread decodes itself.
        say: takes a sentence for the user.
        hang_s: a child that takes longer for a photo hangs.
        idle_s: how long a child without work lives; not if it is eager.
    """

    def __init__(
        self,
        notes: CrashJournal,
        budget: Budget,
        *,
        eager: bool,
        say: Callable[[str], None],
        hang_s: float = HANG_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self._notes = notes
        self._budget = budget
        self._eager = eager
        self._say = say
        self._hang_s = hang_s
        self._idle_s = 0.0 if eager else idle_s
        self._lock = threading.RLock()  # a signal may stop it in the middle of `close`
        self._hands: dict[int, _Worker] = {}
        self._stopped = False
        self._broken = False

    def decode(
        self, found: Found, geometry: Geometry, wall_s: float, busy: Callable[[], bool], *, dated: bool = False
    ) -> Read | None:
        """Do what `daemon.decode.decode.decode_here` does, in the calling thread's child.

        Args:
            found: the photo.
            geometry: the model's.
            wall_s: the time now.
            busy: whether photos queue.
            dated: whether to look when the photo was taken.

        Returns:
            None if the photo is to be decoded without a child.
        """
        if self._notes.deaths(found.path) or found.identity.size > SMALL_BYTES:
            return None
        hand = self._hand(busy)
        read = None
        if hand is not None:
            try:
                with self._budget.room(found.identity.size):
                    read = self._ask(hand, found, geometry, wall_s, dated=dated)
            except StoppedError:
                return NOT_READ
        if read is None:
            return NOT_READ if self._stopped else None
        if read.fault is not None and read.fault.reason is Reason.UNREADABLE:
            return None  # memory may be the cause, and a child has less of it
        return read

    def look(self) -> None:
        """Reap children that ended because they had no work; quick."""
        for hand in list(self._hands.values()):
            hand.process.poll()

    def stop(self) -> None:
        """Kill all children, from any thread: the photos that they were decoding stay in the inbox."""
        with self._lock:
            self._stopped = True
            for hand in self._hands.values():
                hand.process.kill()

    def close(self) -> None:
        """Kill all children and wait for their end; no thread may be decoding."""
        self.stop()
        for hand in self._hands.values():
            hand.end()
        self._hands.clear()

    def _ask(self, hand: "_Worker", found: Found, geometry: Geometry, wall_s: float, *, dated: bool) -> Read | None:
        self._notes.begin(found.path, here=False)
        read = hand.ask(found, geometry, wall_s, dated=dated)
        died = read is None and self._lost(hand) != 0 and not self._stopped
        self._notes.end(found.path, cleared=not died, died=died)
        return read

    def _hand(self, busy: Callable[[], bool]) -> "_Worker | None":
        """Return the calling thread's child if it is ready; start one if there is none."""
        hand = self._hands.get(threading.get_ident())
        if hand is None:
            if self._broken or not (self._eager or busy()):
                return None
            hand = self._started()
        if hand is None or hand.ready:
            return hand
        try:
            hand.ready = hand.greeted(wait=self._eager)
        except OSError as error:
            self._lost(hand)
            self._give_up(error)
        return hand if hand.ready else None

    def _started(self) -> "_Worker | None":
        with self._lock:
            if self._stopped:
                return None
            try:
                hand = self._hands[threading.get_ident()] = _Worker(self._hang_s, self._idle_s)
            except OSError as error:
                self._give_up(error)
                return None
        return hand

    def _give_up(self, error: OSError) -> None:
        """Continue with the children that run already."""
        if not (self._broken or self._stopped):
            self._broken = True
            self._say(f"cannot start another decoding process ({error}); the daemon's own threads decode instead")

    def _lost(self, hand: "_Worker") -> int:
        with self._lock:
            del self._hands[threading.get_ident()]
        return hand.end()


class _Worker:
    """One child and the socket to it; used by one thread at a time, which has started it.

    The kernel ends a child with the thread that started it.
    """

    def __init__(self, hang_s: float, idle_s: float) -> None:
        self._socket, theirs = socket.socketpair()
        try:
            wait_at_most(self._socket, _START_S)
            with theirs:
                self.process = start_module("daemon.decode.worker", str(idle_s), stdin=theirs.fileno())
        except OSError:
            self._socket.close()
            raise
        self.ready = False
        self._number = 0
        self._hang_s = hang_s

    def greeted(self, *, wait: bool) -> bool:
        """Tell whether the child has said that it is ready.

        Raises:
            OSError: it ended before that, or did not answer in time.
        """
        try:
            said = self._socket.recv(1, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            if wait:
                raise
            return False
        if said != READY:
            raise ChildProcessError("the new process ended at once")
        wait_at_most(self._socket, self._hang_s)
        return True

    def ask(self, found: Found, geometry: Geometry, wall_s: float, *, dated: bool) -> Read | None:
        """Return what the child answers; None if it gives no answer."""
        answer = room(geometry)
        self._number += 1
        try:
            self._socket.sendall(question(self._number, found, geometry, wall_s, dated=dated))
            if self._socket.recv_into(answer, 0, socket.MSG_WAITALL) == len(answer):
                return understood(self._number, answer, geometry)
        except (BlockingIOError, ValueError):  # it hangs, or answers nonsense
            self.process.kill()
        except OSError:
            pass
        return None

    def end(self) -> int:
        """Close the socket, make sure that the child ends, and return its exit code; 0 if it had no work."""
        self._socket.close()
        try:
            return wait_or_kill(self.process, _END_S)
        except subprocess.TimeoutExpired:
            return self.process.wait()


def decode_pool_for(
    decode_in: Literal["auto", "threads", "processes"], readers: int, guard: Guard, say: Callable[[str], None]
) -> DecodePool | None:
    """Return the children for this many reading threads; None if the threads decode themselves."""
    if decode_in == "threads" or (decode_in == "auto" and min(readers, usable_cores()) <= FEW_CORES):
        return None
    return DecodePool(guard.journal, guard.budget, eager=decode_in == "processes", say=say)
