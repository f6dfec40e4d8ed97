"""Hints from the kernel that make the scan prompt: a file was closed after writing, or moved in.

watchdog's inotify emitter, with a mask of our own. Its default mask also asks for files that are moved away, and each
of those waits half a second for a partner at the head of its queue: a daemon that moves files out of its own inbox
delays itself (p50 258 ms instead of 0.2 ms; watchdog issues 390 and 649). The emitter is used without watchdog's
observer, whose threads outlive a vanished inbox and say nothing.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileSystemEvent
from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, Mask

from daemon.settle import Sign

Report = Callable[[Path, Sign], None]


class Watcher:
    """Watches one folder until closed.

    Args:
        inbox: the folder; it must exist.
        report: called from the watcher's own thread for each hint; must be quick and must not raise.
        lost: called when the kernel dropped events, so that a scan has to find what was missed.

    Raises:
        OSError: no watch can be had; `watch_fault` makes the sentence.
    """

    def __init__(self, inbox: Path, report: Report, lost: Callable[[], None]) -> None:
        os.close(os.open(inbox, os.O_RDONLY | os.O_DIRECTORY))  # watchdog says nothing when it may not watch a folder
        status = inbox.stat()
        self._watched = (status.st_dev, status.st_ino)
        self._inbox = inbox
        self._descriptor = _Descriptor(lost)
        self._emitter = _Emitter(inbox, report, self._descriptor)
        try:
            self._descriptor.start()
            self._emitter.start()
        except OSError:
            self.close()
            raise

    def is_well(self) -> bool:
        """Tell whether hints still come for the folder that stands at the path today."""
        if self._descriptor.ended or not (self._emitter.is_alive() and self._descriptor.is_alive()):
            return False
        try:
            status = self._inbox.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._watched

    def close(self) -> None:
        """Stop both threads and give the watch back."""
        for thread in (self._emitter, self._descriptor):
            thread.stop()
            if thread.is_alive():
                thread.join()


def watch_fault(error: OSError) -> str:
    """Say why no watch could be had and what to do; the scan goes on working without it."""
    if error.errno in (errno.ENOSPC, errno.EMFILE):
        return (
            "the kernel's limit of inotify watches is reached, so new photos are found by scan alone; "
            "raise it with: sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=1024"
        )
    return f"the folder cannot be watched ({error.strerror}), so new photos are found by scan alone"


class _Descriptor(InotifyFD):
    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__()
        self._lost = lost
        self.ended = False

    def handle_event(self, event: InotifyEvent) -> None:
        """Notice what watchdog keeps to itself: hints that were dropped, and a watch that the kernel took away."""
        if event.is_queue_overflow:
            self._lost()
            return
        super().handle_event(event)
        if event.is_ignored:  # the kernel took the watch away, as when the inbox is unmounted; it may be back already
            self.ended = True
            self._lost()


class _Emitter(InotifyEmitter):
    def __init__(self, inbox: Path, report: Report, descriptor: InotifyFD) -> None:
        super().__init__(EventQueue(), ObservedWatch(str(inbox), recursive=False), inotify_fd=descriptor)
        self._report = report

    def get_event_mask_from_filter(self) -> Mask:
        return Mask(InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_DELETE_SELF)

    def queue_event(self, event: FileSystemEvent) -> None:
        """Report a hint at once, instead of queueing it for an observer."""
        path = Path(os.fsdecode(event.src_path))
        if isinstance(event, FileClosedEvent):
            self._report(path, Sign.CLOSED)
        elif isinstance(event, FileCreatedEvent):  # with this mask: moved in
            self._report(path, Sign.MOVED_IN)
