"""Try a model in a process of its own first: one that crashes onnxruntime, or never ends, must not do so in the daemon.

What is wrong with it in words, the daemon finds out by itself; here it only counts whether the process lived.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from contract.errors import ModelError, PhototriageError
from contract.session import open_model
from contract.text import printable
from daemon.process.child import limit_process, signal_name, start_module, wait_or_kill

TRY_S = 60.0
"""Opening a model and replaying its golden sample takes a fraction of a second, and seconds for a large one."""


def try_apart(file: Path, longest_s: float = TRY_S) -> None:
    """Open a model on the CPU in a process of its own, and replay its golden sample there.

    Raises:
        ModelError: the process died of it, or did not end.
        OSError: there can be no such process now.
    """
    child = start_module("daemon.models.trial", os.fspath(file))
    try:
        code = wait_or_kill(child, longest_s)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{printable(file.name)} did not end within {longest_s:.0f} s when it was tried alone."
        ) from error
    if code < 0:
        raise ModelError(
            f"{printable(file.name)} ended the process in which it was tried alone ({signal_name(-code)})."
        )


def _main() -> None:
    limit_process()
    with suppress(PhototriageError):  # a reason in words, which the daemon finds out by itself
        open_model(Path(sys.argv[1]), "cpu")


if __name__ == "__main__":
    _main()
