"""Call another command of phototriage as a process: only files pass between rooms."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from common.child import environment
from common.errors import PhototriageError


def call_command(words: Sequence[str], out: Any = subprocess.PIPE) -> str:
    """Run `phototriage WORDS` and return what it prints.

    Args:
        words: command and arguments.
        out: where it prints instead: a file, for example.

    Raises:
        PhototriageError: it failed; the text is its own sentence.
    """
    # -P: the folder that a user stands in may hold a json.py.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "phototriage", *words],
        stdout=out, stderr=subprocess.PIPE, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    if done.returncode:
        why = done.stderr.strip().removeprefix("phototriage: ")
        raise PhototriageError(why or f"`{' '.join(words)}` failed.")
    return done.stdout or ""
