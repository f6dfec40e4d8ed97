"""The mounts of an inbox and its output: which files lie on a share, or on another mount than the output."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.files.mounts import Mount, mount_of, mounts_in

CLASS_FOLDERS = 256
"""Folders of an output whose device is checked at most: each may be a subvolume of its own."""


class InboxMounts(NamedTuple):
    """The mounts as they were at one moment.

    Attributes:
        inbox: the folder.
        here: mount of the inbox; None if it is unknown.
        inner: mounts inside the inbox, by their folder.
        there: numbers of all mounts of the output.
        events_unreliable: whether the kernel reported no event for our test file.
        devices: devices of the output. Subvolumes of one btrfs share a mount, but no rename crosses between them.
    """

    inbox: Path
    here: Mount | None = None
    inner: Mapping[Path, Mount] = {}
    there: frozenset[int] = frozenset()
    events_unreliable: bool = False
    devices: frozenset[int] = frozenset()

    def slow_settle(self, folder: Path, device: int | None = None) -> bool:
        """Tell whether files found in a folder of the inbox must stay unchanged for longer.

        This holds on a share, where other machines write unseen, and where files are copied to another mount and then
        removed: a late writer would write into a removed file.

        Args:
            folder: of the inbox.
            device: of the file, if it is known.
        """
        mount = self._mount(folder)
        if mount is None or self.events_unreliable:
            return self.events_unreliable
        apart = device is not None and bool(self.devices) and self.devices != {device}
        return mount.is_share or apart or (bool(self.there) and self.there != {mount.number})

    def share_and_mount(self, folder: Path) -> tuple[bool, Path | None]:
        """Return whether a folder of the inbox lies on a share (with a clock of its own), and on which inner mount."""
        inner = self._inner(folder)
        mount = self.here if inner is None else self.inner[inner]
        return mount is not None and mount.is_share, inner

    def any_share(self) -> bool:
        """Tell whether anything in the inbox lies on a share."""
        return any(self.share_and_mount(folder)[0] for folder in (self.inbox, *self.inner))

    def any_slow_settle(self) -> bool:
        """Tell whether any file of the inbox must stay unchanged for longer."""
        return any(self.slow_settle(folder) for folder in (self.inbox, *self.inner))

    def why_polled(self) -> str:
        """Say why events are unreliable; empty if they are reliable."""
        for folder in (self.inbox, *self.inner):
            mount = self._mount(folder)
            if mount is not None and mount.is_share:
                what = "the inbox" if folder == self.inbox else printable(folder)
                return f"{what} lies on a share ({mount.kind}), and the kernel does not report what others do there"
        if self.events_unreliable and self.here is not None:
            return f"the kernel reports no events for the inbox (on {self.here.kind})"
        return ""

    def _mount(self, folder: Path) -> Mount | None:
        inner = self._inner(folder)
        return self.here if inner is None else self.inner[inner]

    def _inner(self, folder: Path) -> Path | None:
        above = (folder, *folder.parents) if self.inner else ()
        return next((one for one in above if one in self.inner), None)


def survey(inbox: Path, output: Path | None, *, recursive: bool, events_unreliable: bool) -> InboxMounts:
    """Find the current mounts of an inbox and its output, which may have changed.

    Args:
        inbox: the folder.
        output: where photos are filed; None if it does not matter.
        recursive: whether mounts inside the inbox matter.
        events_unreliable: whether the kernel reported no event for our test file.
    """
    there: set[int] = set()
    devices: frozenset[int] = frozenset()
    if output is not None:
        mounts = (mount_of(output), *mounts_in(output).values())
        there = {mount.number for mount in mounts if mount is not None}
        devices = frozenset(_devices(output))
    return InboxMounts(
        inbox, mount_of(inbox), mounts_in(inbox) if recursive else {}, frozenset(there), events_unreliable, devices
    )


def _devices(output: Path) -> Iterator[int]:
    with suppress(OSError):
        yield output.stat().st_dev
        with os.scandir(output) as entries:
            for entry in islice(entries, CLASS_FOLDERS):
                if entry.is_dir(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False).st_dev
