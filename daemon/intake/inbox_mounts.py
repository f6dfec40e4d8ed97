"""On what mounts an inbox and its output lie: which files are far from where they are filed, or on a share."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from contract.text import printable
from daemon.files.mounts import Mount, mount_of, mounts_in

CLASS_FOLDERS = 256
"""As many folders of an output are asked what device they are on: each may be a subvolume of its own."""


class InboxMounts(NamedTuple):
    """What was found at one look.

    Attributes:
        inbox: the folder.
        here: what it lies on; None where that cannot be found out.
        inner: mounts inside the inbox, by their folder.
        there: the numbers of all mounts that the output has.
        deaf: no event came for a file of ours.
        devices: that the output has. Subvolumes of one btrfs lie on one mount, and no rename leads from one to another.
    """

    inbox: Path
    here: Mount | None = None
    inner: Mapping[Path, Mount] = {}
    there: frozenset[int] = frozenset()
    deaf: bool = False
    devices: frozenset[int] = frozenset()

    def is_far(self, folder: Path, device: int | None = None) -> bool:
        """Tell whether what is found in a folder of the inbox, on a device if that is known, is waited for longer.

        That is where others change it unseen, and where it is copied and then removed: its writer would go on into
        nothing.
        """
        mount = self._mount(folder)
        if mount is None or self.deaf:
            return self.deaf
        apart = device is not None and bool(self.devices) and self.devices != {device}
        return mount.is_share or apart or (bool(self.there) and self.there != {mount.number})

    def lies(self, folder: Path) -> tuple[bool, Path | None]:
        """Tell whether a folder of the inbox lies on a share, whose clock is another's; and on which inner mount."""
        inner = self._inner(folder)
        mount = self.here if inner is None else self.inner[inner]
        return mount is not None and mount.is_share, inner

    def any_share(self) -> bool:
        """Tell whether anything in the inbox lies on a share."""
        return any(self.lies(folder)[0] for folder in (self.inbox, *self.inner))

    def any_far(self) -> bool:
        """Tell whether anything in the inbox is far."""
        return any(self.is_far(folder) for folder in (self.inbox, *self.inner))

    def why_polled(self) -> str:
        """Say why events are not relied on; empty if they are."""
        for folder in (self.inbox, *self.inner):
            mount = self._mount(folder)
            if mount is not None and mount.is_share:
                what = "the inbox" if folder == self.inbox else printable(folder)
                return f"{what} lies on a share ({mount.kind}), and the kernel does not report what others do there"
        if self.deaf and self.here is not None:
            return f"the kernel reports no events for the inbox (on {self.here.kind})"
        return ""

    def _mount(self, folder: Path) -> Mount | None:
        inner = self._inner(folder)
        return self.here if inner is None else self.inner[inner]

    def _inner(self, folder: Path) -> Path | None:
        above = (folder, *folder.parents) if self.inner else ()
        return next((one for one in above if one in self.inner), None)


def survey(inbox: Path, output: Path | None, *, recursive: bool, deaf: bool) -> InboxMounts:
    """Look where an inbox and its output lie now, which may be elsewhere than before.

    Args:
        inbox: the folder.
        output: where photos are filed; None where that does not matter.
        recursive: whether what is mounted inside the inbox matters.
        deaf: no event came for a file of ours.
    """
    there: set[int] = set()
    devices: frozenset[int] = frozenset()
    if output is not None:
        mounts = (mount_of(output), *mounts_in(output).values())
        there = {mount.number for mount in mounts if mount is not None}
        devices = frozenset(_devices(output))
    return InboxMounts(inbox, mount_of(inbox), mounts_in(inbox) if recursive else {}, frozenset(there), deaf, devices)


def _devices(output: Path) -> Iterator[int]:
    with suppress(OSError):
        yield output.stat().st_dev
        with os.scandir(output) as entries:
            for entry in islice(entries, CLASS_FOLDERS):
                if entry.is_dir(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False).st_dev
