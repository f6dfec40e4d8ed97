"""A pause: what holds up every photo, not one, is said once and tried again with one photo at a time until it ends."""

import errno
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contract.publish import sync_directory
from contract.text import printable
from daemon.copying.copy_file import NoRoomError
from daemon.files.marker import MARKER
from daemon.files.rename import rename_noreplace
from daemon.photo import Mode, Photo
from daemon.process.clock import Clock

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
LONGEST_S, LONGEST_OF_FAILING_S = 8.0, 60.0
"""Between two tries: a disk that is full or away costs nothing to ask, and one that fails takes its time for each."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_AWAY = (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV)
FAILING = (errno.EIO, errno.EUCLEAN, errno.ENXIO, errno.EREMOTEIO, errno.EROFS)
"""What a disk answers that fails, or was closed to writers for that; one folder of it may do so alone."""
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class Pause:
    """Knows whether filing is held up as a whole; begun and ended by the filer, asked by the pipeline.

    Args:
        clock: time.
        say: takes one sentence when it ends; its beginning is said with the photo that met it.
    """

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._tries = 0
        self._again_s = 0.0
        self.reason = ""

    def begin(self, reason: str, longest_s: float = LONGEST_S) -> None:
        """Take note that something holds up every photo; also that it still does.

        Args:
            reason: for people.
            longest_s: up to which the time between two tries grows.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._again_s:  # not those that were on their way already
            self._again_s = now_s + min(longest_s, BACK_OFF_S[min(self._tries, len(BACK_OFF_S) - 1)])
            self._tries += 1
        self.reason = reason

    def end(self) -> None:
        """Take note that a photo was filed."""
        if self.reason:
            self._say(f"filing goes on; it had been held up: {self.reason}")
        self.reason, self._tries, self._again_s = "", 0, 0.0

    def room(self, room: int, under_way: int) -> int:
        """Return how many more photos may set out: of `room`, or one at a time while paused, and that only when due."""
        if not self.reason:
            return room - under_way
        return 1 - under_way if self._clock.monotonic_s() >= self._again_s else 0

    def left_s(self, longest_s: float) -> float:
        """Return the time to the next try, at most `longest_s`."""
        left_s = self._again_s - self._clock.monotonic_s()
        return min(longest_s, left_s) if self.reason and left_s > 0 else longest_s


def trouble_of_all(error: OSError, photo: Photo, output: Path, mode: Mode) -> str:
    """Say what keeps every photo from being filed; empty if it is this photo's, or its folder's, alone."""
    if error.errno in (*_FULL, *_AWAY) and is_disk_of_its_own(photo, output):
        return ""  # as where a class folder is another disk, or a link to one: there is room on the others
    if error.errno in _FULL and not isinstance(error, NoRoomError):  # which leaves room for others
        return f"the output {printable(output)} is full ({error.strerror})"
    if error.errno in _AWAY:
        return f"the output {printable(output)} is away ({error.strerror})"
    if error.errno in FORBIDDEN:
        inbox = photo.path.parents[len(photo.relpath.parts)]
        for role, folder in (("output", output), ("inbox", inbox))[: 2 if mode is Mode.MOVE else 1]:
            if not may_write(folder):
                return f"the {role} {printable(folder)} cannot be written ({error.strerror})"
    if error.errno in FAILING and (fault := _fault_of(output)):
        return f"the output {printable(output)} fails ({fault.strerror})"
    return ""


def may_write(folder: Path) -> bool:
    """Tell whether names may be made in a folder and taken out of it, as far as its mode and its mount say."""
    return os.access(folder, os.W_OK | os.X_OK)


def is_disk_of_its_own(photo: Photo, output: Path) -> bool:
    """Tell whether a photo goes to another file system than that of the output, or to one that is away."""
    folder = output / photo.folder if photo.destination is None else photo.destination.parent
    try:
        home = output.stat().st_dev
    except OSError:
        return False
    for there in (folder, *folder.parents):
        try:
            return there.stat().st_dev != home
        except (FileNotFoundError, NotADirectoryError):
            continue  # it is to be made yet
        except OSError:
            return True
    return False


def _fault_of(output: Path) -> OSError | None:
    """Make, rename and remove a file in the output, as filing does; return what went wrong."""
    names = [output / f"{MARKER}.{uuid.uuid4().hex}.part" for _ in range(2)]
    try:
        with names[0].open("xb") as file:
            file.write(b"{")  # as a marker begins, so that the rest of a probe that was cut off is removed
            file.flush()
            os.fsync(file.fileno())
        rename_noreplace(*names)
        sync_directory(output)
    except OSError as error:
        return error
    finally:
        for name in names:
            with suppress(OSError):
                name.unlink()
    return None
