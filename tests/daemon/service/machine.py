"""A real systemd as PID 1 of namespaces of its own, for tests of the service: a machine inside this one.

It sees this machine's files through an overlay whose changes stay in memory, has its own /run, /tmp, /srv, processes,
network and control groups, and is gone without a trace at the end of the block.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "systemctl", "journalctl", "useradd")
"""System tools that a test with a machine needs: for `@pytest.mark.system(*TOOLS, root=True)`."""
FRESH = ("/dev", "/run", "/srv", "/tmp", "/var/log", "/var/tmp")
"""What is empty inside, or private to each service: a program that lies there is not seen."""
DEADLINE_S = 60.0


class Machine:
    """What is inside the namespaces, as seen from here.

    Attributes:
        root: its file system; absolute paths inside are below it.
    """

    def __init__(self, init: int) -> None:
        self._init = init
        self.root = Path(f"/proc/{init}/root")

    def inside(self, path: str | Path) -> Path:
        """Return where a path inside is seen from here."""
        return self.root / str(path).lstrip("/")

    def run(
        self, *words: str | Path, user: str | None = None, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root or as a user; fails the test if it should not fail and does."""
        enter = ("nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--") if user else ()
        command = [*enter, "--root", "--wd", "--", *become, *words]
        home = f"/home/{user}" if user else "/root"
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": home, **environment}
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, env=clean)
        if check:
            assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def phototriage(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `phototriage WORDS` inside, as it is installed here, as root."""
        return self.run(Path(sys.prefix) / "bin" / "phototriage", *words, check=check)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def journal(self, unit: str, *options: str) -> str:
        """Return what a unit said."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}", *options).stdout

    def user(self, name: str) -> None:
        """Make a user with a home and a group of its own."""
        self.run("useradd", "--create-home", "--user-group", name)


@contextmanager
def machine(*needed: Path) -> Iterator[Machine]:
    """Boot a machine that sees the needed folders; skips the test where none can be booted, saying why."""
    for path in needed:
        if any(map(path.resolve().is_relative_to, FRESH)):
            pytest.skip(f"no machine can be booted here: {path} lies where a service has a folder of its own")
    group = _control_group()
    folder = Path(tempfile.mkdtemp(prefix="phototriage-machine-"))
    show = sorted({os.fspath(path.resolve()) for path in needed if path.stat().st_dev != Path("/").stat().st_dev})
    boot = [
        "setpriv",
        "--pdeathsig=KILL",
        "unshare",
        "--fork",
        "--pid",
        "--mount",
        "--cgroup",
        "--uts",
        "--ipc",
        "--net",
        "--kill-child",
    ]
    command: list[str | Path] = [
        "sh",
        "-c",
        'echo $$ >"$0/cgroup.procs" && exec "$@"',
        group,
        *boot,
        "bash",
        HERE / "boot.sh",
        folder,
    ]
    process = subprocess.Popen([*command, *show], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        init = _booted(process)
        yield Machine(init)
    finally:
        with suppress(ProcessLookupError):
            for child in _children(process.pid):
                os.kill(child, signal.SIGKILL)  # PID 1 takes all of its namespace with it
        process.kill()
        process.communicate()
        _remove(group)
        shutil.rmtree(folder)


def _control_group() -> Path:
    """Make a control group whose inside will look like the whole tree to the machine."""
    for top in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        if (top / "cgroup.procs").exists() and (top / "cgroup.controllers").exists():
            group = top / f"phototriage-test-{secrets.token_hex(4)}"
            try:
                group.mkdir()
            except OSError as error:
                pytest.skip(f"no machine can be booted here: {group} cannot be made ({error.strerror})")
            return group
    pytest.skip("no machine can be booted here: there is no cgroup2")


def _remove(group: Path) -> None:
    end_s = time.monotonic() + DEADLINE_S
    for folder in (*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group):
        while True:
            try:
                folder.rmdir()
                break
            except OSError:
                assert time.monotonic() < end_s, f"{folder} is still in use"
                time.sleep(0.01)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _booted(process: "subprocess.Popen[str]") -> int:
    """Wait until all is up, and return the process id of the machine's PID 1 as it is known here."""
    end_s = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < end_s:
        for child in _children(process.pid):
            done = Machine(child).run("systemctl", "is-system-running", check=False)
            if done.stdout.strip() in ("running", "degraded"):
                assert done.stdout.strip() == "running", Machine(child).run("systemctl", "--failed").stdout
                return child
        time.sleep(0.05)
    if process.poll() is None:
        pytest.fail("a machine was booted and did not come up")
    assert process.stderr is not None
    pytest.skip(f"no machine can be booted here: {process.stderr.read().strip()}")
