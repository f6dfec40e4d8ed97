"""Runs what reads photos and fits a head in a process of its own, which may run out of memory or crash.

The child has the terminal, so that it can ask. It reads the files that the job names, and leaves a new model in a
folder of this process. So however it ends, the model in use is as it was.
"""

import signal
import subprocess
import sys

from common.child import environment, signal_name
from learn.errors import LearnError
from learn.job import Job

REFUSED, FAILED = 3, 4
"""Exit codes of a child: the gate refused the new model; it failed, and has said why."""
STAYS = "The model in use stays as it is."


def run_apart(job: Job) -> int:
    """Do a job in a child process; returns its exit code.

    Raises:
        LearnError: it cannot be started, or a signal ended it.
    """
    command = [sys.executable, "-P", "-m", "learn.child", job.to_json()]
    try:
        child = subprocess.Popen(command, env=environment())
    except OSError as error:
        raise LearnError(f"The process that learns cannot be started ({error.strerror}). {STAYS}") from error
    try:
        code = child.wait()
    finally:  # as after Ctrl-C
        child.kill()
        child.wait()
    if code == -signal.SIGPIPE:  # as with `learn | head`
        return 128 + signal.SIGPIPE
    if code < 0:
        often = ", as the kernel does when memory runs out" if code == -signal.SIGKILL else ""
        raise LearnError(
            f"The process that learns was ended by {signal_name(-code)}{often}. {STAYS} Learn again, with more memory"
            " or fewer photos."
        )
    if code not in (0, REFUSED, FAILED):
        raise LearnError(f"The process that learns crashed; why stands above. {STAYS}")
    return 1 if code == FAILED else code
