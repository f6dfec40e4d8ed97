"""Check the machine: the kernel's limits for a daemon that watches folders, memory, cores and clock."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.doctor.finding import Finding, ok, warning
from daemon.process.cores import usable_cores

LITTLE_INOTIFY = 0.9
"""Share of the kernel's limit above which the doctor warns."""
FEW_WATCHES = 8192
"""Each watched folder takes one inotify watch."""
FEW_FILES = 1024
LITTLE_MEMORY_MB = 512
"""The daemon needs about 100 MB, and up to 1.5 GB for a moment to decode a picture of 24 megapixels or more."""
LEAST_YEAR, MOST_YEAR = 2025, 2100
_TIMEDATECTL_S = 2.0


def look_at_machine(now_s: float, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Iterator[Finding]:
    """Check the machine.

    Args:
        now_s: wall time, in seconds since 1970.
        proc: the folder where the kernel shows processes and settings.
        sys: the folder where the kernel shows control groups.
    """
    yield _watches(proc)
    yield _instances(proc)
    yield _links(proc)
    yield _files()
    yield _memory(proc, sys)
    yield _cores()
    yield _clock(now_s)


def inotify_in_use(proc: Path = Path("/proc")) -> tuple[int, int]:
    """Count this user's inotify instances and watches, in all processes that may be read."""
    instances = watches = 0
    for process in proc.glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid != os.geteuid():
                continue
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if descriptor.readlink().name == "anon_inode:inotify":
                        instances += 1
                        watches += (process / "fdinfo" / descriptor.name).read_bytes().count(b"inotify wd:")
    return instances, watches


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _watches(proc: Path) -> Finding:
    most, used = _number(proc / "sys/fs/inotify/max_user_watches"), inotify_in_use(proc)[1]
    says = f"{used:,} of {most or 0:,} inotify watches of this user are in use"
    if most is None:
        return warning("inotify", "the kernel does not report its limits", "ls /proc/sys/fs/inotify")
    if used > LITTLE_INOTIFY * most or most < FEW_WATCHES:
        return warning(
            "inotify",
            f"{says}; photos in folders without a watch are found only by scans",
            _sysctl("fs.inotify.max_user_watches=524288"),
        )
    return ok("inotify", says)


def _instances(proc: Path) -> Finding:
    most, used = _number(proc / "sys/fs/inotify/max_user_instances"), inotify_in_use(proc)[0]
    says = f"{used} of {most or 0} inotify instances of this user are in use; each daemon needs one"
    if most is not None and used >= LITTLE_INOTIFY * most:
        return warning("inotify", says, _sysctl("fs.inotify.max_user_instances=1024"))
    return ok("inotify", says)


def _links(proc: Path) -> Finding:
    settings = ("protected_hardlinks", "protected_symlinks")
    off = [f"fs.{name}=1" for name in settings if _number(proc / "sys/fs" / name) == 0]
    if off:
        return warning(
            "links",
            "users who may write to the inbox can put links to other people's files there",
            _sysctl(" ".join(off)),
        )
    return ok("links", "nobody can put hard links to other people's files into an inbox (fs.protected_hardlinks)")


def _sysctl(settings: str) -> str:
    lines = settings.replace(" ", "\\n")
    return f"printf '{lines}\\n' | sudo tee /etc/sysctl.d/60-phototriage.conf && sudo sysctl --system"


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    says = f"{soft} files may be open in a process (hard limit {hard})"
    return ok("limits", says) if soft >= FEW_FILES else warning("limits", says, f"ulimit -n {FEW_FILES}")


def _memory(proc: Path, sys: Path) -> Finding:
    lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
    free_mb = next((int(line.split()[1]) >> 10 for line in lines if line.startswith("MemAvailable:")), 0)
    limit = _memory_limit(proc, sys)
    says = f"{free_mb:,} MiB of memory are free" + (f", of which this control group may use {limit:,}" if limit else "")
    if min(free_mb, limit or free_mb) < LITTLE_MEMORY_MB:
        return warning(
            "memory", f"{says}: large photos may fail", "ps aux --sort=-rss | head   (lists the programs that use most)"
        )
    return ok("memory", says)


def _memory_limit(proc: Path, sys: Path) -> int | None:
    """Return the smallest limit of this process's control group and its parents, in MiB."""
    limits = []
    with suppress(OSError, ValueError):
        group = (proc / "self/cgroup").read_text(encoding="utf-8").splitlines()[-1].partition("::")[2].strip("/")
        folder = sys / "fs/cgroup" / group
        for path in (folder, *folder.parents):
            limit = _number(path / "memory.max")
            limits += [limit >> 20] if limit else []
    return min(limits, default=None)


def _cores() -> Finding:
    cores, there = usable_cores(), os.cpu_count() or 1
    if cores < there:
        return ok("cores", f"{cores} of {there} cores may be used (affinity, or the control group's cpu.max)")
    return ok("cores", f"{cores} cores")


def _clock(now_s: float) -> Finding:
    year = time.gmtime(now_s).tm_year
    cure = "sudo timedatectl set-ntp true"
    if not LEAST_YEAR <= year <= MOST_YEAR:
        return warning(
            "clock", f"it shows the year {year}, so times in the ledger and --give-up-after will be wrong", cure
        )
    synchronised = _synchronised()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now_s))
    if synchronised is False:
        return warning("clock", f"{stamp}; it is not synchronised", cure)
    return ok("clock", f"{stamp}, {'synchronised by NTP' if synchronised else 'synchronisation unknown'}")


def _synchronised() -> bool | None:
    """Ask systemd whether the clock is synchronised; None if it does not know."""
    if not Path("/run/systemd/system").exists() or shutil.which("timedatectl") is None:
        return None
    ask = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=_TIMEDATECTL_S).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer)
