"""How many cores this process may use."""

import os
from collections.abc import Iterator
from math import ceil, inf
from pathlib import Path

FAR_READERS = 8
"""Threads that read from a share, at least: each read takes several round trips."""
_SELF = Path("/proc/self")


def readers(*, inbox_on_share: bool) -> int:
    """Return how many threads should read photos."""
    return max(usable_cores(), FAR_READERS if inbox_on_share else 1)


def usable_cores(process: Path = _SELF) -> int:
    """Count cores by the process's affinity and by the limits of its control groups; at least one.

    The tightest limit counts: of the process's group and of each visible group above it, such as a service's slice, a
    pod or a container. Half a core counts as one core.

    Args:
        process: folder of a process in /proc, with `cgroup` and `mountinfo`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, ceil(min([cores, *(share for group in _groups(process) for share in _shares(group))])))


def _groups(process: Path) -> Iterator[Path]:
    """Yield the folders of the control groups, of either version, that may limit the processor."""
    try:
        of_process = (process / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
        mounts = (process / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    lines = (line.split(":", 2) for line in of_process if line.count(":") > 1)
    paths = {controllers: path for _, controllers, path in lines}
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        fields, (kind, *_, options) = before.split(), after.split() or ("", "")
        if kind == "cgroup2":
            controllers = ""
        elif kind == "cgroup" and "cpu" in options.split(","):
            controllers = next((names for names in paths if "cpu" in names.split(",")), "")
        else:
            continue
        yield from _upwards(Path(fields[4]), fields[3], paths.get(controllers, "/"))


def _upwards(mounted: Path, root: str, path: str) -> Iterator[Path]:
    """Yield the folders of a group and of the groups above it, up to the mount, which begins at the group `root`."""
    below = os.path.relpath(path, root) if path.startswith(root) else "."  # not visible: use the container's group
    parts = [part for part in below.split("/") if part not in (".", "..")]
    for depth in range(len(parts), -1, -1):
        yield mounted.joinpath(*parts[:depth])


def _shares(group: Path) -> Iterator[float]:
    """Yield how many cores a group may use, if it sets a limit; `inf` is no limit."""
    for quota_file, period_file in (("cpu.max", None), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            words = (group / quota_file).read_text(encoding="ascii").split()
            if period_file is not None:
                words += (group / period_file).read_text(encoding="ascii").split()
            quota, period = words
            yield int(quota) / int(period) if quota != "max" and int(quota) > 0 else inf
        except (OSError, ValueError, ArithmeticError):
            continue
