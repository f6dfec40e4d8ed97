"""Open a model in a trial process first, because a model can crash or hang onnxruntime, and the daemon with it.

Only the survival of the process counts here. The daemon finds every other fault itself when it opens the model.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from common.child import signal_name
from common.errors import ModelError, PhototriageError
from common.text import printable
from contract.session import open_model
from daemon.process.child import limit_process, start_module, wait_or_kill

TRY_S = 60.0
"""Opening a model and replaying its golden sample takes a fraction of a second, and seconds for a large one."""


def try_apart(file: Path, longest_s: float = TRY_S) -> None:
    """Open a model on the CPU in a trial process, and replay its golden sample there.

    Raises:
        ModelError: the process died, or did not end.
        OSError: the process cannot be started now.
    """
    child = start_module("daemon.models.trial", os.fspath(file))
    try:
        code = wait_or_kill(child, longest_s)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"The trial process that opened {printable(file.name)} did not end within {longest_s:.0f} s."
        ) from error
    if code < 0:
        raise ModelError(f"The trial process that opened {printable(file.name)} died of {signal_name(-code)}.")


def _main() -> None:
    limit_process()
    with suppress(PhototriageError):  # the daemon finds that fault itself
        open_model(Path(sys.argv[1]), "cpu")


if __name__ == "__main__":
    _main()
