"""Child processes of ours: started with our modules, limited, and ended with the daemon."""

import os
import subprocess
import sys


def started(words: list[str], *, stdin: int, stdout: int) -> "subprocess.Popen[bytes]":
    """Start a module of ours, the first of the words, as a child process that is given the others."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *words],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # a Ctrl-C is for the daemon, and not for the photo
    )
