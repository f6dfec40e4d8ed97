"""Call another command of phototriage as a process: only files pass between rooms."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import PhototriageError

_CODE = str(Path(__file__).parents[1])


def call_command(words: Sequence[str], out: Any = subprocess.PIPE) -> str:
    """Run `phototriage WORDS` and return what it prints.

    Args:
        words: command and arguments.
        out: where it prints instead: a file, for example.

    Raises:
        PhototriageError: it failed; the text is its own sentence.
    """
    # -P: the folder that a user stands in may hold a json.py. The path: this phototriage may not be installed.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "phototriage", *words],
        stdout=out, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), _CODE])},
    )  # fmt: skip
    if done.returncode:
        why = done.stderr.strip().removeprefix("phototriage: ")
        raise PhototriageError(why or f"`{' '.join(words)}` failed.")
    return done.stdout or ""
