"""Child processes of ours: one way to start a module with limits, for the daemon and for the doctor.

The parent calls `start_module` and bounds the wall clock. The child calls `limit_process` first, because memory is
counted from what its imports hold, and only a process itself can ask to end with its parent.
"""

import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from common.child import be_the_first_to_go, end_with_parent, environment


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
        env=environment(),
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
    be_the_first_to_go()
    limits = {resource.RLIMIT_CORE: 0}
    if memory_bytes is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory_bytes
    if cpu_s is not None:
        limits[resource.RLIMIT_CPU] = cpu_s
    for what, limit in limits.items():
        with suppress(OSError, ValueError):  # a stricter limit is in force already
            resource.setrlimit(what, (limit, limit))
