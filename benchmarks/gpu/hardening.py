"""Does CUDA run under what systemd/phototriage@.service forbids; which devices does the daemon open."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import ROOT, Bench
from benchmarks.gpu.photos import fill_small
from benchmarks.gpu.serve import Service, count, service

NOBODY = "65534"
FILTERS = "no-new-privileges,mdwe,mdwe-filter,namespaces,unix-only,calls"
READ_ONLY = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && mount -o remount,ro,bind /sys"
HIDDEN = "mount -t proc -o hidepid=invisible proc /proc"


def mounts(script: str, *then: str) -> tuple[str, ...]:
    """A mount namespace of its own in which a script has run."""
    return ("unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh", *then)


Case = tuple[Sequence[str], str]  # words in front of the sandbox, and what the sandbox forbids


UNPRIVILEGED = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
)  # fmt: skip


def opened(bench: Bench) -> str:
    """A script of mounts that lets an ordinary user read this Python, which may lie in root's home.

    Nothing is changed outside the mount namespace in which it runs.
    """
    if subprocess.run([*UNPRIVILEGED, sys.executable, "-c", "pass"], capture_output=True).returncode == 0:
        return "true"
    over = bench.folder / "over"
    over.mkdir()
    layers = f"lowerdir=/root,upperdir={over}/upper,workdir={over}/work"
    return " && ".join(
        (
            f"mount -t tmpfs tmpfs {over}",
            f"mkdir {over}/upper {over}/work",
            f"mount -t overlay overlay -o {layers} /root",
            "chmod 755 /root",
        )
    )


def cases(opening: str) -> dict[str, Case]:
    """The likeliest trouble first."""
    own_ids = ("unshare", "-U", "--map-current-user")
    user = mounts(opening, *UNPRIVILEGED)
    walls = ("unshare", "-n", *mounts(f"{opening} && {READ_ONLY} && {HIDDEN}", *UNPRIVILEGED))
    return {
        "nothing forbidden": ((), ""),
        "everything": ((*walls, *own_ids), FILTERS),
        "all but private users": (walls, FILTERS),
        "mdwe (prctl)": ((), "mdwe"),
        "mdwe (filter)": ((), "mdwe-filter"),
        "system calls": ((), "calls"),
        "an ordinary user": (user, "no-new-privileges"),
        "private users": (own_ids, ""),
        "everything but mdwe": ((*walls, *own_ids), FILTERS.replace("mdwe,mdwe-filter,", "")),
        "namespaces": ((), "namespaces"),
        "AF_UNIX alone": ((), "unix-only"),
        "no network": (("unshare", "-n"), ""),
        "proc hides others": (mounts(HIDDEN), ""),
        "sysfs and sysctl read-only": (mounts(READ_ONLY), ""),
    }


def clone(bench: Bench) -> Path:
    """A copy of what the daemon needs where everybody may read it: the clone itself may lie in root's home."""
    place = bench.folder / "clone"
    for room in ("common", "contract", "daemon"):
        shutil.copytree(ROOT / room, place / room)
    shutil.copy(ROOT / "phototriage.py", place)
    shutil.copy(Path(__file__).with_name("sandbox.py"), place)
    bench.folder.chmod(0o755)
    return place


def tried(bench: Bench, place: Path, case: Case) -> dict[str, Any]:
    """Six photos through `sort` under the restrictions: how it ended, where it ran, how long it took."""
    words, forbidden = case
    folder = bench.folder / f"case-{time.monotonic_ns()}"
    fill_small(bench.photos, folder / "inbox", 6)
    for path in (folder, folder / "inbox", folder / "sorted", folder / "state"):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    for path in (folder / "inbox").iterdir():
        path.chmod(0o666)
    path_ = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    env = {"PYTHONPATH": path_, "HOME": str(folder), "XDG_CACHE_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    prefix = (*words, sys.executable, str(place / "sandbox.py"), forbidden, "--")
    with service(bench, folder, verb="sort", env=env, prefix=prefix) as one:
        try:
            code = one.wait(20)
        except subprocess.TimeoutExpired:
            return {"exit": "hangs", "said": one.said(400)}
        told = {"exit": code, "filed": count(folder / "sorted"), "s": round(time.monotonic() - one.began_s, 1)}
        provider = _provider(one)
        return {**told, "provider": provider, "said": one.said(400) if code or provider != bench.device else ""}


def _provider(one: Service) -> str:
    while not one.events.empty():
        _, event = one.events.get()
        if event["event"] == "ready":
            return str(event["provider"])
    return "never ready"


def devices(bench: Bench) -> dict[str, Any]:
    """Device files that a running daemon holds or has mapped; the kernel's names of NVIDIA's devices."""
    with service(bench, bench.folder / "devices") as one:
        one.ready(90)
        pid = one.process.pid
        targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        held = sorted({target for target in targets if target.startswith("/dev/") and "pts" not in target})
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        mapped = sorted({line.split()[-1] for line in maps if " /dev/" in line})
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        threads = next(line.split()[1] for line in status if line.startswith("Threads"))
        writable = [line for line in maps if " rwx" in line]
        one.end()
    names = [line.split() for line in Path("/proc/devices").read_text().splitlines() if "nvidia" in line]
    return {
        "held": held, "mapped": mapped, "threads": threads, "mappings_rwx": len(writable), "rwx": writable[:3],
        "proc_devices": [" ".join(each) for each in names],
        "files": [_listed(path) for path in sorted(Path("/dev").glob("nvidia*")) if not path.is_dir()],
    }  # fmt: skip


def _listed(path: Path) -> str:
    status = path.stat()
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return f"{path} {status.st_mode & 0o777:o} {number}"


def run(bench: Bench) -> None:
    """The part `hardening`."""
    place = clone(bench)
    bench.each([("devices", lambda: devices(bench))])
    opening = opened(bench)
    bench.note("readable to an ordinary user by", opening)
    bench.each((name, partial(tried, bench, place, case)) for name, case in cases(opening).items())
