"""Child processes of ours: one way to start a module with limits, for the daemon and for the doctor.

The parent calls `start_module` and bounds the wall clock. The child calls `limit_process` first, because memory is
counted from what its imports hold, and only a process itself can ask to end with its parent.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_ROOT = str(Path(__file__).parents[2])
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def start_module(
    module: str,
    *words: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    inside: Sequence[str] = (),
    cwd: str | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a module of ours as a child process, which imports from where this process does.

    Args:
        module: its name.
        words: arguments.
        stdin: a descriptor, `PIPE` or `DEVNULL`, as are `stdout` and `stderr`.
        stdout: where the answer goes.
        stderr: where complaints go.
        inside: words before the command, as `nsenter ... --`.
        cwd: its working directory; None for this process's.

    Raises:
        OSError: the process cannot be started now.
    """
    return subprocess.Popen(
        [*inside, sys.executable, "-P", "-m", module, *words],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), _ROOT])},
        process_group=0,  # Ctrl-C is for the parent, which ends its children itself
    )


def wait_or_kill(child: "subprocess.Popen[bytes]", wall_s: float) -> int:
    """Wait for a child and return its exit code, negative for a signal.

    Raises:
        TimeoutExpired: it did not end in time; it has been killed, and has ended.
    """
    try:
        return child.wait(wall_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise


def limit_process(memory_bytes: int | None = None, cpu_s: int | None = None) -> None:
    """Limit this process, a child, from here on: it ends with its parent and writes no core file.

    Args:
        memory_bytes: address space beyond what it holds now; None for any.
        cpu_s: processor time; None for any.
    """
    end_with_parent()
    with suppress(OSError):  # if memory runs out all the same, the kernel takes this process and not the daemon
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    limits = {resource.RLIMIT_CORE: 0}
    if memory_bytes is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory_bytes
    if cpu_s is not None:
        limits[resource.RLIMIT_CPU] = cpu_s
    for what, limit in limits.items():
        with suppress(OSError, ValueError):  # a stricter limit is in force already
            resource.setrlimit(what, (limit, limit))


def end_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends.

    A process that changes its user has to ask again, because the kernel forgets the request then (prctl(2)).
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def signal_name(number: int) -> str:
    """Return the name of a signal; a real-time signal has none, and is called by its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
