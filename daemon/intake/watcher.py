"""Events of the kernel that make new photos known at once: a file was closed after writing, or moved in.

No event waits for another. The watchdog package holds each "moved from" event for half a second at the head of a queue,
to pair it with a "moved to" event: a daemon that moves files out of its own inbox delays itself (p50 258 ms instead of
0.2 ms; watchdog issues 390 and 649). Here a moved file is remembered only while a program still writes to it.

Each scan names the folders inside the inbox to watch (`enter`). A folder that is made or moved in between two scans is
watched at once, and the files in it are reported as found.
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
"""O_NONBLOCK: opening must not wait for a FIFO that has this name."""

_ARRIVED = inotify.IN_CREATE | inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO | inotify.IN_MOVED_FROM
_FOLDER = inotify.IN_DELETE_SELF | inotify.IN_ONLYDIR | inotify.IN_DONT_FOLLOW


class Watcher:
    """Watches an inbox until closed.

    Args:
        path_filter: of the inbox, which must exist; also decides which inner folders are watched.
        report: called by the watcher's own thread for each hint; must be quick and must not raise.
        lost: called when the kernel dropped events, so that a scan must find the missed files.

    Attributes:
        events_unreliable: whether the kernel reported no event for our test file.
        creations: files that were created and not closed since.

    Raises:
        OSError: the kernel refuses a watch; `watch_fault` makes the sentence.
    """

    def __init__(self, path_filter: PathFilter, report: Report, lost: Callable[[], None]) -> None:
        self._inbox = path_filter.inbox
        status = self._inbox.stat()
        self._watched = (status.st_dev, status.st_ino)
        self._descriptor = _Descriptor(path_filter, report, lost)
        self.creations = self._descriptor.creations
        try:
            self._descriptor.add(self._inbox)
            self.events_unreliable = self._are_events_unreliable()
            self._descriptor.start()
        except BaseException:
            self.close()
            raise

    def is_well(self) -> bool:
        """Tell whether events still come for the folder that is at the path now."""
        if self._descriptor.ended or not self._descriptor.is_alive():
            return False
        try:
            status = self._inbox.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._watched

    def enter(self, folder: Path) -> None:
        """Watch a folder inside the inbox too; does nothing if it is watched already."""
        self._descriptor.enter(folder)

    def fault(self) -> str:
        """Say why an inner folder has no watch; empty if all have one."""
        return self._descriptor.fault

    def begin_round(self) -> None:
        """Begin a scan, which enters every folder that still exists."""
        self._descriptor.begin_round()

    def end_round(self) -> None:
        """End a scan: remove the watches of folders that it did not enter, because they were moved away."""
        self._descriptor.end_round()

    def _are_events_unreliable(self) -> bool:
        """Create and remove a hidden file: reliable events are in the queue before the call returns."""
        canary = self._inbox / CANARY
        try:
            os.close(os.open(canary, _CANARY_FLAGS, 0o600))
            canary.unlink()
        except OSError:
            return False  # the test proves nothing
        return not self._descriptor.wait_for_event(CANARY_S)

    def close(self) -> None:
        """Stop the thread, and release the watches and the descriptor."""
        self._descriptor.close()


def watch_fault(error: OSError) -> str:
    """Say why the kernel refused a watch and what to do; scans work without one."""
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
        """Start to report; until then events wait in the kernel's queue."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread reads the queue."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread if it was started, and release everything."""
        with self._lock:
            if self._closed:
                return
            self._closed = True  # from now on the thread adds no watch
        self._inotify.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._inotify.close()

    def add(self, folder: Path) -> None:
        """Watch a folder; raises OSError if the kernel refuses."""
        with self._lock:
            if self._closed:
                return
            watch = self._inotify.add(folder, self._mask)
            self._folders[watch] = folder  # also for a known watch: the folder may have been renamed
            self._entered.add(watch)

    def wait_for_event(self, seconds: float) -> bool:
        """Wait for the first event. Call this before the thread is started, because the thread takes all events."""
        return self._inotify.wait_for_event(seconds)

    def enter(self, folder: Path) -> None:
        """Watch a folder, or remember why that failed; the scan goes on without a watch."""
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
            self.creations.moved_from(None, event.cookie)  # most often a photo that was filed: its path is not needed
            return
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
        if folder == self._path_filter.inbox:  # a new folder may be there already
            self.ended = True
            self._lost()

    def _arrived(self, path: Path, mask: int, cookie: int) -> None:
        if mask & inotify.IN_ISDIR:
            if not mask & inotify.IN_MOVED_FROM and self._path_filter.enters(path):
                self._look_into(path)
        elif mask & inotify.IN_CREATE:  # cheap: there is one for every file, and nothing to look at yet
            self.creations.created(path)
        elif mask & inotify.IN_MOVED_FROM:
            self.creations.moved_from(path, cookie)
        elif mask & inotify.IN_MOVED_TO:
            is_inside = self.creations.moved_to(path, cookie)
            self._report(path, Trigger.RENAMED if is_inside else Trigger.MOVED_IN)
        elif mask & inotify.IN_CLOSE_WRITE:
            self.creations.closed(path)
            self._report(path, Trigger.CLOSED)

    def _look_into(self, folder: Path) -> None:
        """Watch a folder that was made or moved in, with its inner folders, and report the files that are in it."""
        with suppress(OSError):  # gone again, or not readable: the scan reports that
            for path in scan(self._path_filter, folder, enter=self.enter):
                if self._closed:
                    return
                self._report(path, Trigger.FOUND)
