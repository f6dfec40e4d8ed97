"""Try a model in a process of its own first: one that crashes onnxruntime, or never ends, must not do so in the daemon.

What is wrong with it in words, the daemon finds out by itself; here it only counts whether the process lived.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from contract.errors import ModelError, PhototriageError
from contract.session import open_model
from contract.text import printable

TRY_S = 60.0
"""Opening a model and replaying its golden sample takes a fraction of a second, and seconds for a large one."""
_PR_SET_PDEATHSIG = 1


def try_apart(file: Path, longest_s: float = TRY_S) -> None:
    """Open a model on the CPU in a process of its own, and replay its golden sample there.

    Raises:
        ModelError: the process died of it, or did not end.
        OSError: there can be no such process now.
    """
    words = [sys.executable, "-P", "-m", "daemon.models.trial", os.fspath(file)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(
            words, stdin=nothing, stdout=nothing, stderr=nothing, env=env, process_group=0, timeout=longest_s
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{printable(file.name)} did not end within {longest_s:.0f} s when it was tried alone."
        ) from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"{printable(file.name)} ended the process in which it was tried alone ({name}).")


def _main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # end with the daemon, however that ends
    with suppress(OSError):  # if memory runs out, the kernel shall take this process and not the daemon
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(PhototriageError):  # a reason in words, which the daemon finds out by itself
        open_model(Path(sys.argv[1]), "cpu")


if __name__ == "__main__":
    _main()
