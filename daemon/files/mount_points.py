"""The mount point of a folder, as its owner sees it: a disk, a share, or a folder that is bound from elsewhere.

`os.path.ismount` does not see a bind mount within one file system, so /proc is read. A sandbox (ReadWritePaths= of
systemd) binds folders onto themselves: such a mount changes nothing, so the mount below it counts.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from daemon.files.mounts import number_of_mount, unescaped


class _Mounted(NamedTuple):
    """A line of /proc/self/mountinfo: the mount below, the device, the folder of it that is shown, and where."""

    below: int
    device: bytes
    root: Path
    point: Path


def mount_point(path: Path) -> Path:
    """Return the mount point of a folder, or of the nearest parent that exists."""
    with suppress(OSError, ValueError, IndexError, KeyError):
        mounts = _mounts()
        here = mounts[_number_at_or_above(path)]
        while (below := mounts.get(here.below)) is not None and below != here and _shows_the_same(here, below):
            here = below
        return here.point
    while not os.path.ismount(path):  # if /proc cannot be read
        path = path.parent
    return path


def is_mounted(point: Path) -> bool:
    """Tell whether a former mount point, or root of a subvolume, is one now."""
    return os.path.ismount(point) or mount_point(point) == point


def _number_at_or_above(path: Path) -> int:
    for folder in (path, *path.parents):
        with suppress(OSError):
            return number_of_mount(folder)
    raise KeyError(path)


def _mounts() -> dict[int, _Mounted]:
    lines = (line.split() for line in Path("/proc/self/mountinfo").read_bytes().splitlines())
    return {int(line[0]): _Mounted(int(line[1]), line[2], unescaped(line[3]), unescaped(line[4])) for line in lines}


def _shows_the_same(mount: _Mounted, below: _Mounted) -> bool:
    """Tell whether a mount shows the same folder as the mount below it shows there."""
    if mount.device != below.device or not mount.point.is_relative_to(below.point):
        return False
    return mount.root == below.root / mount.point.relative_to(below.point)
