"""Hints from the kernel that make the scan prompt: a file was closed after writing, or moved in.

No event waits for another. The watchdog package lets each file that is moved away wait half a second for its arrival
at the head of a queue: a daemon that moves files out of its own inbox delays itself (p50 258 ms instead of 0.2 ms;
watchdog issues 390 and 649). Here one that is moved away is remembered, and only while somebody still writes to it.

Of folders inside the inbox, each scan brings the ones to watch (`enter`); one that is made or moved in between is
watched at once, and what lies in it already is reported as found.
"""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from daemon.files.marker import MARKER
from daemon.intake import inotify
from daemon.intake.creations import Creations
from daemon.intake.filters import PathFilter
from daemon.intake.inotify import Event, Inotify
from daemon.intake.settle import Trigger
from daemon.intake.walk import scan

Report = Callable[[Path, Trigger], None]

CANARY = f"{MARKER}.canary.tmp"
CANARY_S = 1.0
_CANARY_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: a FIFO that somebody put there is not waited for."""

_ARRIVED = inotify.IN_CREATE | inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO | inotify.IN_MOVED_FROM
_FOLDER = inotify.IN_DELETE_SELF | inotify.IN_ONLYDIR | inotify.IN_DONT_FOLLOW


class Watcher:
    """Watches an inbox until closed.

    Args:
        path_filter: of the inbox, which must exist; it also says whether folders in it are watched.
        report: called from the watcher's own thread for each hint; must be quick and must not raise.
        lost: called when the kernel dropped events, so that a scan has to find what was missed.

    Attributes:
        deaf: no event came for a file of ours, so none can be relied on.
        creations: files that were created and not closed since.

    Raises:
        OSError: no watch can be had; `watch_fault` makes the sentence.
    """

    def __init__(self, path_filter: PathFilter, report: Report, lost: Callable[[], None]) -> None:
        self._inbox = path_filter.inbox
        status = self._inbox.stat()
        self._watched = (status.st_dev, status.st_ino)
        self._descriptor = _Descriptor(path_filter, report, lost)
        self.creations = self._descriptor.creations
        try:
            self._descriptor.add(self._inbox)
            self.deaf = self._is_deaf()
            self._descriptor.start()
        except BaseException:
            self.close()
            raise

    def is_well(self) -> bool:
        """Tell whether hints still come for the folder that stands at the path today."""
        if self._descriptor.ended or not self._descriptor.is_alive():
            return False
        try:
            status = self._inbox.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._watched

    def enter(self, folder: Path) -> None:
        """Watch a folder inside the inbox as well; nothing happens if it is watched already."""
        self._descriptor.enter(folder)

    def fault(self) -> str:
        """Say why some folder inside has no watch; empty when all have."""
        return self._descriptor.fault

    def begin_round(self) -> None:
        """A scan begins: it will enter every folder that is still there."""
        self._descriptor.begin_round()

    def end_round(self) -> None:
        """A scan is through: the watches of folders that it did not enter, as moved away, are given back."""
        self._descriptor.end_round()

    def _is_deaf(self) -> bool:
        """Make and remove a hidden file; where events come, one is in the queue before the call returns."""
        canary = self._inbox / CANARY
        try:
            os.close(os.open(canary, _CANARY_FLAGS, 0o600))
            canary.unlink()
        except OSError:
            return False  # nothing is known
        return not self._descriptor.hears_within(CANARY_S)

    def close(self) -> None:
        """Stop the thread and give the watches and the descriptor back."""
        self._descriptor.close()


def watch_fault(error: OSError) -> str:
    """Say why no watch could be had and what to do; the scan goes on working without it."""
    if error.errno in (errno.ENOSPC, errno.EMFILE):
        return (
            "the kernel's limit of inotify watches is reached, so only scans find new photos; "
            "raise the limit with: sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024"
        )
    return f"the folder cannot be watched ({error.strerror}), so only scans find new photos"


class _Descriptor:
    """The kernel's queue, its thread, and the folders by their watches."""

    def __init__(self, path_filter: PathFilter, report: Report, lost: Callable[[], None]) -> None:
        self._path_filter = path_filter
        self._report = report
        self._lost = lost
        self._mask = _ARRIVED | _FOLDER
        self.creations = Creations()
        self._lock = threading.Lock()
        self._folders: dict[int, Path] = {}
        self._entered: set[int] = set()
        self._closed = False
        self.fault = ""
        self.ended = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._inotify = Inotify()

    def start(self) -> None:
        """Begin to report; before, events wait in the kernel's queue."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether somebody reads the queue."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread, if it was started, and give everything back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True  # from here on its thread adds no watch
        self._inotify.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._inotify.close()

    def add(self, folder: Path) -> None:
        """Watch a folder; OSError if that cannot be."""
        with self._lock:
            if self._closed:
                return
            watch = self._inotify.add(folder, self._mask)
            self._folders[watch] = folder  # also for one that is known: it may have got another name
            self._entered.add(watch)

    def hears_within(self, seconds: float) -> bool:
        """Wait for the first event; to be called before the thread is started, which then takes it."""
        return self._inotify.hears_within(seconds)

    def enter(self, folder: Path) -> None:
        """Watch a folder, or remember why not; the scan goes on without."""
        try:
            self.add(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.fault = watch_fault(error)

    def begin_round(self) -> None:
        with self._lock:
            self._entered.clear()
        self.fault = ""

    def end_round(self) -> None:
        with self._lock:
            for watch in [known for known in self._folders if known not in self._entered]:
                self._inotify.remove(watch)  # the kernel answers with IN_IGNORED

    def _run(self) -> None:
        for event in self._inotify.events():
            if self._closed:
                return
            self.handle_event(event)

    def handle_event(self, event: Event) -> None:
        """Turn an event into a hint."""
        if event.mask & inotify.IN_Q_OVERFLOW:
            self.creations.forget()
            self._lost()
            return
        if event.mask & inotify.IN_MOVED_FROM and not self.creations:
            return  # as each photo that is filed
        with self._lock:
            folder = self._folders.get(event.watch)
        if folder is None:
            return
        if event.mask & inotify.IN_IGNORED:  # the kernel took the watch away: the folder is removed or unmounted
            self._forget(event.watch, folder)
        elif event.name and event.name != os.fsencode(CANARY):
            self._arrived(folder / os.fsdecode(event.name), event.mask, event.cookie)

    def _forget(self, watch: int, folder: Path) -> None:
        with self._lock:
            del self._folders[watch]
        if folder == self._path_filter.inbox:  # it may be back already
            self.ended = True
            self._lost()

    def _arrived(self, path: Path, mask: int, cookie: int) -> None:
        if mask & inotify.IN_ISDIR:
            if not mask & inotify.IN_MOVED_FROM and self._path_filter.enters(path):
                self._look_into(path)
        elif mask & inotify.IN_CREATE:  # cheap: there is one for every file, and nothing to look at yet
            self.creations.made(path)
        elif mask & inotify.IN_MOVED_FROM:
            self.creations.moved_from(path, cookie)
        elif mask & inotify.IN_MOVED_TO:
            self.creations.moved_to(path, cookie)
            self._report(path, Trigger.MOVED_IN)
        elif mask & inotify.IN_CLOSE_WRITE:
            self.creations.ended(path)
            self._report(path, Trigger.CLOSED)

    def _look_into(self, folder: Path) -> None:
        """Watch a folder that was made or moved in, with all in it; its files came before their watch."""
        with suppress(OSError):  # it is gone again, or may not be listed: the scan says so
            for path in scan(self._path_filter, folder, enter=self.enter):
                if self._closed:
                    return
                self._report(path, Trigger.FOUND)
