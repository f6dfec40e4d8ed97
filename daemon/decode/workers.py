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
from daemon.decode.protocol import READY, fill, question, room, wait_at_most
from daemon.decode.suspects import CrashJournal
from daemon.photo import Photo
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

    def decode(self, photo: Photo, geometry: Geometry, wall_s: float, busy: Callable[[], bool]) -> bool:
        """Do what `daemon.decode.decode.decode` does, in the calling thread's child.

        Args:
            photo: its `path` is read.
            geometry: the model's.
            wall_s: the time now.
            busy: whether photos queue.

        Returns:
            Whether the photo has been dealt with, as by a stop; otherwise it is to be decoded without a child.
        """
        if self._notes.deaths(photo.path) or photo.identity.size > SMALL_BYTES:
            return False
        hand = self._hand(busy)
        if hand is None:
            return self._stopped
        try:
            with self._budget.room(photo.identity.size):
                answered = self._ask(hand, photo, geometry, wall_s)
        except StoppedError:
            return True
        if not answered:
            return self._stopped
        if photo.fault is None or photo.fault.reason is not Reason.UNREADABLE:
            return True
        photo.fault = None  # memory may be the cause, and a child has less of it
        return False

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

    def _ask(self, hand: "_Worker", photo: Photo, geometry: Geometry, wall_s: float) -> bool:
        self._notes.begin(photo.path, here=False)
        answered = hand.ask(photo, geometry, wall_s)
        died = not answered and self._lost(hand) != 0 and not self._stopped
        self._notes.end(photo.path, cleared=not died, died=died)
        return answered

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

    def ask(self, photo: Photo, geometry: Geometry, wall_s: float) -> bool:
        """Fill in what the child answers; False if it gives no answer."""
        answer = room(geometry)
        self._number += 1
        try:
            self._socket.sendall(question(self._number, photo, geometry, wall_s))
            if self._socket.recv_into(answer, 0, socket.MSG_WAITALL) == len(answer):
                fill(photo, self._number, answer, geometry)
                return True
        except (BlockingIOError, ValueError):  # it hangs, or answers nonsense
            self.process.kill()
        except OSError:
            pass
        return False

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
