"""Candidates that a command of the user prints, as JSON lines: so any service can be a source."""

import os
import select
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from collect.errors import CollectError
from collect.sources.candidate import Candidate
from collect.sources.listed import of_json_lines
from common.text import printable

MOST_LINE_BYTES = 64 << 10
STALL_S = 300.0
MOST_WORDS_BYTES = 500
_PIECE = 1 << 16


class Command:
    """Candidates of a command, which is started without a shell.

    Args:
        line: the command line.
        stall_s: how long it may print nothing.
    """

    def __init__(self, line: str, stall_s: float = STALL_S) -> None:
        self._words, self._stall_s = shlex.split(line), stall_s
        if not self._words:
            raise CollectError("The source names no command. Write command:PROGRAM ARGUMENTS.")
        self.name = f"command:{printable(self._words[0])}"

    def leaves(self) -> str:
        """Return what leaves this machine, and whereto."""
        program = printable(self._words[0])
        return f"What {program} sends is its own doing. The hosts that it names are asked for photos."

    def candidates(self) -> Iterator[Candidate]:
        """Yield what the command prints. It is ended when nobody wants more.

        Raises:
            CollectError: it cannot be started, prints something else, prints nothing for too long, or fails.
        """
        with tempfile.TemporaryFile() as said, self._started(said) as child:
            yield from of_json_lines(self._lines(child), f"what {self.name} prints")
            if code := child.wait():
                raise CollectError(
                    f"{self.name} failed with exit code {code}{_last_words(said)}. What was collected is kept: run the"
                    " same command again."
                )

    @contextmanager
    def _started(self, said: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        try:
            child = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True
            )
        except OSError as error:
            raise CollectError(f"{self.name} cannot be started ({error}). Name another program.") from error
        with child:
            try:
                yield child
            finally:
                with suppress(ProcessLookupError):  # its children too, which may hold the pipe open
                    os.killpg(child.pid, signal.SIGKILL)

    def _lines(self, child: subprocess.Popen[bytes]) -> Iterator[str]:
        assert child.stdout is not None  # because it was asked for
        held = b""
        while True:
            ready, _, _ = select.select([child.stdout], [], [], self._stall_s)
            if not ready:
                raise CollectError(f"{self.name} printed nothing for {self._stall_s:g} s, and was ended.")
            piece = os.read(child.stdout.fileno(), _PIECE)
            *lines, held = (held + piece).split(b"\n")
            if not piece:
                lines, held = [held], b""
            if len(held) > MOST_LINE_BYTES:
                raise CollectError(f"{self.name} prints a line of more than {MOST_LINE_BYTES:,} bytes, and was ended.")
            yield from (line.decode("utf-8", "replace") for line in lines)
            if not piece:
                return


def _last_words(said: IO[bytes]) -> str:
    """The last line that a command wrote about its failure."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - MOST_WORDS_BYTES))
    lines = said.read().decode("utf-8", "replace").split("\n")
    words = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({printable(words)})" if words else ""
