"""What does a new machine do with the README's first commands?

    sudo python -m benchmarks.clean_machine trixie
    sudo python -m benchmarks.clean_machine sid --revision HEAD~20 --revision HEAD

debootstrap makes a root folder of that Debian with nothing but make, git and Python. In it an ordinary user clones this
repository, types `make run`, drops a photo, presses Ctrl-C, and types `make demo`. Each revision has a user of its own,
so that nothing is there yet. What the environment says of an index, a proxy and certificates goes along; the packages
come from the network. Everything is removed afterwards.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import ROOT, WORK, tell, workplace
from benchmarks.told import Row, Told

INCLUDE = "ca-certificates,make,git,python3,python3-venv"
PASSED = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PATIENCE_S = 1800.0
DOWNLOADED = re.compile(r"Downloading \S+ \(([0-9.]+) ([kM]?)B\)")
MEANING = "Seconds of each command, and megabytes that pip downloaded and that the environment takes on the disk."
ENTER = 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "--userspec=$2:$2" "$1" "${@:3}"'
"""What bash does in a mount namespace of its own; its arguments: the root folder, the user, the command."""


def main() -> None:
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.clean_machine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("suite", help="trixie (Debian 13), sid, or another one that debootstrap knows")
    options.add_argument("--mirror", help="where debootstrap fetches it; its own default otherwise")
    options.add_argument("--revision", action="append", help="of this repository, repeatable; default: HEAD")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--work", type=Path, default=WORK, help=f"for the root folder, 0.5 GB and more: {WORK}")
    arguments = options.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("Making a root folder needs root and debootstrap: sudo apt install debootstrap")
    measured(arguments).show(arguments.json)


def measured(arguments: argparse.Namespace) -> Told:
    """Make the root folder, and return a row for each revision."""
    with workplace(arguments.work, arguments.suite) as place:
        root = place / "root"
        tell(f"debootstrap {arguments.suite}")
        bootstrap(arguments.suite, root, arguments.mirror)
        rows = []
        for number, revision in enumerate(arguments.revision or ["HEAD"]):
            machine = Machine(root, f"user{number}")
            rows.append({"suite": arguments.suite, "revision": revision, **machine.tries(revision)})
    return Told(rows, {"megabytes": rows[-1]["MB downloaded"]}, MEANING)


def bootstrap(suite: str, root: Path, mirror: str | None) -> None:
    """Make the root folder, and give it the certificates that the environment names."""
    words = ["debootstrap", "--variant=minbase", f"--include={INCLUDE}", suite, os.fspath(root)]
    done = subprocess.run([*words, *([mirror] if mirror else [])], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    for name in CERTIFICATES:
        if file := os.environ.get(name):
            shutil.copy(file, root / "etc" / f"{name}.pem")


class Machine:
    """A user of the new machine who has just logged in."""

    def __init__(self, root: Path, user: str) -> None:
        self._root = root
        self._user = user
        self.home = root / "home" / user
        subprocess.run(["chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", user], check=True)

    def tries(self, revision: str) -> Row:
        """Clone the repository, type both commands, and return what that took."""
        clone = self.home / "phototriage"
        self._clone(revision)
        with self._typed("make run") as (process, log):
            run_s = until(lambda: "ready: runs on" in log.read_text(encoding="utf-8", errors="replace"), process, log)
            photo = clone / "inbox" / "photo.png"
            shutil.copy(clone / "docs" / "report.png", photo.with_suffix(".part"))
            shutil.chown(photo.with_suffix(".part"), self.home.stat().st_uid)
            photo.with_suffix(".part").rename(photo)
            filed_s = until(lambda: any(clone.glob("sorted/*/photo.png")), process, log)
            os.killpg(process.pid, signal.SIGINT)
        said = log.read_text(encoding="utf-8", errors="replace")
        with self._typed("make demo") as (process, log):
            demo_s = until(lambda: process.poll() is not None, process, log)
        if process.returncode != 0:
            sys.exit(f"make demo failed:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        python = re.search(r"with Python (3\.\d+)", said)
        print(said.strip(), file=sys.stderr)
        return {
            "Python": python[1] if python else None,
            "make run s": round(run_s, 1),
            "first photo s": round(filed_s, 2),
            "make demo s": round(demo_s, 1),
            "MB downloaded": round(downloaded_mb(self.home / "pip.log"), 1),
            "MB installed": round(size_mb(clone / ".venv"), 1),
        }

    def _clone(self, revision: str) -> None:
        bare = self.home / "phototriage.git"
        subprocess.run(["git", "clone", "--quiet", "--bare", "--no-hardlinks", ROOT, bare], check=True)
        commit = subprocess.check_output(["git", "-C", ROOT, "rev-parse", revision], text=True).strip()
        subprocess.run(["git", "-C", bare, "update-ref", "refs/heads/tried", commit], check=True)
        subprocess.run(["chroot", self._root, "chown", "-R", self._user, f"/home/{self._user}"], check=True)
        with self._typed("git clone --quiet --branch tried ~/phototriage.git ~/phototriage", "/") as (process, log):
            until(lambda: process.poll() is not None, process, log)

    @contextmanager
    def _typed(self, line: str, folder: str = "phototriage") -> "Iterator[tuple[subprocess.Popen[bytes], Path]]":
        """Run a line in the user's shell, in a mount namespace of its own; yield the process and its log."""
        tell(line)
        log = self.home.parent / f"{self._user}.log"
        own = [f"HOME=/home/{self._user}", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"PIP_LOG=/home/{self._user}/pip.log"]
        words = ["env", "-i", *own, *passed_on(), "bash", "-c", f"cd ~ && cd {folder} && exec {line}"]
        command = ["unshare", "--mount", "bash", "-c", ENTER, "bash", os.fspath(self._root), self._user, *words]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, process_group=0
            )
            try:
                yield process, log
                process.wait(PATIENCE_S)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def passed_on() -> list[str]:
    """Return the variables of this environment that say how to reach an index."""
    names = [*PASSED, *(name.upper() for name in PASSED if name.endswith("proxy"))]
    found = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    return found + [f"{name}=/etc/{name}.pem" for name in CERTIFICATES if os.environ.get(name)]


def until(reached: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> float:
    """Wait until something is so, and return the seconds that it took; exit if the process ends before."""
    started_s = time.monotonic()
    while not reached():
        if time.monotonic() - started_s > PATIENCE_S or (process.poll() is not None and not reached()):
            sys.exit(f"It did not work:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        time.sleep(0.02)
    return time.monotonic() - started_s


def downloaded_mb(log: Path) -> float:
    """Return how much pip downloaded, by its own log."""
    scale = {"": 1e-6, "k": 1e-3, "M": 1.0}
    found = DOWNLOADED.findall(log.read_text(encoding="utf-8", errors="replace"))
    return sum(float(amount) * scale[unit] for amount, unit in found)


def size_mb(folder: Path) -> float:
    """Return the size of the files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


if __name__ == "__main__":
    main()
