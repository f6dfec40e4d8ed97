"""A child process of ours keeps its limits, and does not outlive the process that started it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.child import signal_name
from daemon.process.child import start_module, wait_or_kill
from tests.daemon.support import ROOT, write

PARENT = """
import sys, time
from daemon.process.child import start_module
print(start_module(sys.argv[1], stdin=0, stdout=2).pid, flush=True)
time.sleep(600)
"""
SLEEPER = "import os, time\nfrom daemon.process.child import limit_process\nlimit_process()\n"
READY = "os.write(1, b'ready')\ntime.sleep(600)\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a module `ours` that children can import."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "ours.py"


def ended(module: Path, limits: str, then: str) -> int:
    write(module, f"from daemon.process.child import limit_process\nlimit_process({limits})\n{then}\n".encode())
    return wait_or_kill(start_module("ours"), 60.0)


def ends_with_its_parent(name: str) -> bool:
    """Kill the parent of a module that waits, and tell whether the module ends too."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, name], stdin=pipe, stdout=pipe, stderr=pipe, env=env
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert parent.stderr.read(5) == b"ready"
            assert not select.select([child], [], [], 0.0)[0]
            parent.kill()
            return bool(select.select([child], [], [], 30.0)[0])  # readable once it has ended
        finally:
            signal.pidfd_send_signal(child, signal.SIGKILL)
            os.close(child)


def test_memory_is_bounded_beyond_what_the_imports_hold(module: Path) -> None:
    write(module.with_name("holds.py"), b"held = bytearray(300 << 20)\n")
    assert ended(module, "64 << 20", "bytearray(32 << 20)") == 0
    assert ended(module, "64 << 20", "bytearray(96 << 20)") == 1  # a MemoryError
    write(module, b"import holds\nfrom daemon.process.child import limit_process\nlimit_process(64 << 20)\n")
    assert wait_or_kill(start_module("ours"), 60.0) == 0


def test_processor_time_is_bounded(module: Path) -> None:
    assert signal_name(-ended(module, "cpu_s=1", "while True: pass")) in ("SIGXCPU", "SIGKILL")


def test_a_child_that_does_not_end_in_time_is_killed(module: Path) -> None:
    write(module, b"import time\ntime.sleep(600)\n")
    child = start_module("ours")
    with pytest.raises(subprocess.TimeoutExpired):
        wait_or_kill(child, 0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_child_complains_where_it_is_told_to_and_nowhere_else(
    module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(module, b"raise SystemExit('what is wrong')\n")
    with start_module("ours", stderr=subprocess.PIPE) as child:
        assert child.communicate()[1] == b"what is wrong\n"
    assert wait_or_kill(start_module("ours"), 60.0) == 1
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_child_ends_with_its_parent_however_that_ends(module: Path) -> None:
    write(module, (SLEEPER + READY).encode())
    assert ends_with_its_parent("ours")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its user")
def test_a_probe_of_the_doctors_that_became_another_user_ends_with_it_too(module: Path) -> None:
    become = "from daemon.doctor.probe import become\nbecome(65534, 65534, [])\n"
    write(module, (SLEEPER + become + READY).encode())
    assert ends_with_its_parent("ours")


def test_a_signal_without_a_name_is_called_by_its_number() -> None:
    assert (signal_name(11), signal_name(40)) == ("SIGSEGV", "signal 40")
