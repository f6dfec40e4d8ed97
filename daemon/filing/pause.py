"""A pause: a problem that stops all photos is reported once, then one photo at a time is retried until it ends."""

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from common.publish import sync_directory
from common.text import printable
from daemon.copying.copy_file import NoRoomError
from daemon.files.marker import MARKER
from daemon.files.rename import rename_noreplace
from daemon.photo import Mode, Photo
from daemon.process.clock import Clock, back_off_s
from daemon.process.log_level import Level, Say

LONGEST_S, LONGEST_OF_FAILING_S = 8.0, 60.0
"""Longest time between two retries: a full or absent disk answers at once, but a failing disk takes seconds."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_AWAY = (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV)
FAILING = (errno.EIO, errno.EUCLEAN, errno.ENXIO, errno.EREMOTEIO, errno.EROFS)
"""Errors of a failing disk, or of a disk that became read-only after errors; they may concern one folder only."""
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


class Pause:
    """Whether filing is paused; begun and ended by the thread that files, read by the pipeline.

    Args:
        clock: time.
        say: called with one sentence when the pause ends; its beginning is reported with the first photo.
    """

    def __init__(self, clock: Clock, say: Say) -> None:
        self._clock = clock
        self._say = say
        self._tries = 0
        self._again_s = 0.0
        self.reason = ""

    def begin(self, reason: str, longest_s: float = LONGEST_S) -> None:
        """Begin a pause, or continue it after a retry failed.

        Args:
            reason: for people.
            longest_s: limit of the growing time between two retries.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._again_s:  # photos that were on their way already count as the same try
            self._again_s = now_s + back_off_s(self._tries, longest_s)
            self._tries += 1
        self.reason = reason

    def end(self) -> None:
        """End the pause, because a photo was filed."""
        if self.reason:
            self._say(f"filing resumed; it had been paused: {self.reason}", Level.NOTICE)
        self.reason, self._tries, self._again_s = "", 0, 0.0

    def room(self, room: int, under_way: int) -> int:
        """Return how many more photos may start: up to `room`, or during a pause a single one when a retry is due."""
        if not self.reason:
            return room - under_way
        return 1 - under_way if self._clock.monotonic_s() >= self._again_s else 0

    def left_s(self, longest_s: float) -> float:
        """Return the time until the next retry, at most `longest_s`."""
        left_s = self._again_s - self._clock.monotonic_s()
        return min(longest_s, left_s) if self.reason and left_s > 0 else longest_s


def trouble_of_all(error: OSError, photo: Photo, output: Path, mode: Mode) -> str:
    """Return the problem that stops all photos; empty if it concerns only this photo or its folder.

    Args:
        error: of the kernel.
        photo: the photo that it met.
        output: root of the class folders.
        mode: how photos are filed.
    """
    if error.errno in (*_FULL, *_AWAY) and is_disk_of_its_own(photo, output):
        return ""  # a class folder may be another disk, or a link to one: other classes still have room
    if error.errno in _FULL and not isinstance(error, NoRoomError):  # then smaller photos still fit
        return f"the output {printable(output)} is full ({error.strerror})"
    if error.errno in _AWAY:
        return f"the output {printable(output)} is away ({error.strerror})"
    if error.errno in FORBIDDEN:
        inbox = photo.path.parents[len(photo.found.relpath.parts)]
        for role, folder in (("output", output), ("inbox", inbox))[: 2 if mode is Mode.MOVE else 1]:
            if not may_write(folder):
                return f"the {role} {printable(folder)} cannot be written ({error.strerror})"
    if error.errno in FAILING and (fault := _fault_of(output)):
        return f"the output {printable(output)} fails ({fault.strerror})"
    return ""


def may_write(folder: Path) -> bool:
    """Tell whether mode and mount of a folder allow to create and remove names in it."""
    return os.access(folder, os.W_OK | os.X_OK)


def is_disk_of_its_own(photo: Photo, output: Path) -> bool:
    """Tell whether a photo's destination is on another file system than the output, or on one that is away."""
    folder = output / photo.filing.folder if photo.filing.destination is None else photo.filing.destination.parent
    try:
        home = output.stat().st_dev
    except OSError:
        return False
    for there in (folder, *folder.parents):
        try:
            return there.stat().st_dev != home
        except (FileNotFoundError, NotADirectoryError):
            continue  # not made yet: ask its parent
        except OSError:
            return True
    return False


def _fault_of(output: Path) -> OSError | None:
    """Create, rename and remove a file in the output, as filing does; return the error, if any."""
    names = [output / f"{MARKER}.{uuid.uuid4().hex}.part" for _ in range(2)]
    try:
        with names[0].open("xb") as file:
            file.write(b"{")  # a marker begins so: then `marker.tidy` removes the rest of an interrupted probe
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
