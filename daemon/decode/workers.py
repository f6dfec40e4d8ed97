"""The daemon's end: a child for each thread that reads, and what happens to a photo that a child did not survive.

A thread that waits for its child does not hold Python's lock, so many cores can decode at once. What is dangerous
(`daemon/decode/guard.py`) goes the same way as without children. A photo that kills or hangs a child becomes a suspect,
as if it had killed the daemon: it is tried alone, and only what fails there too is its own fault.
"""

import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Literal

from contract.errors import Reason
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
"""Up to so many, threads of one process come to 0.95 and more of what the cores can do."""
IDLE_S = 60.0
"""A child that was started for a backlog ends after so long without work."""
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
        photo.fault = None  # it may be for want of memory, which a child has less of
        return False

    def look(self) -> None:
        """Take leave of children that ended because there was nothing to do; quick."""
        for hand in list(self._hands.values()):
            hand.process.poll()

    def stop(self) -> None:
        """End all children, from any thread: what they were at stays in the inbox."""
        with self._lock:
            self._stopped = True
            for hand in self._hands.values():
                hand.process.kill()

    def close(self) -> None:
        """End all children and wait for it; no thread may be decoding."""
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
        """Return the calling thread's child if there is one and it is ready, or set out to have one."""
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
        """Go on without those children that are not there yet."""
        if not (self._broken or self._stopped):
            self._broken = True
            self._say(f"no more processes that decode can be started ({error}); the daemon's threads decode themselves")

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
            OSError: it ended before, or was waited for in vain.
        """
        try:
            said = self._socket.recv(1, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            if wait:
                raise
            return False
        if said != READY:
            raise ChildProcessError("it ended at once")
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
        except (BlockingIOError, ValueError):  # it hangs, or is not itself any more
            self.process.kill()
        except OSError:
            pass
        return False

    def end(self) -> int:
        """Close the socket, see to it that the child ends, and return its exit code; 0 if it had nothing to do."""
        self._socket.close()
        try:
            return wait_or_kill(self.process, _END_S)
        except subprocess.TimeoutExpired:
            return self.process.wait()


def decode_pool_for(
    decode_in: Literal["auto", "threads", "processes"], readers: int, guard: Guard, say: Callable[[str], None]
) -> DecodePool | None:
    """Return the children that so many reading threads should have; None where they decode themselves."""
    if decode_in == "threads" or (decode_in == "auto" and min(readers, usable_cores()) <= FEW_CORES):
        return None
    return DecodePool(guard.journal, guard.budget, eager=decode_in == "processes", say=say)
