"""The driver's end of one worker: starts it, gives it parts, and reads what it says. The other end is `worker.py`."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from bulk.engines.job import Job
from daemon.process.child import start_module

MODULE = "bulk.engines.worker"
HUNG, FAILED = 3, 4
"""Exit codes of a worker: a photo hangs in the decoder; the GPU or the storage failed, which may pass."""
_END_S = 10.0


class Member:
    """A worker process.

    Attributes:
        part: what it judges now; None if nothing.
        is_ready: whether its model is open.
        trouble: what it said before it ended, if it did.

    Args:
        job: what it does.
        scratch: for its temporary files.
    """

    def __init__(self, job: Job, scratch: Path) -> None:
        self.part: str | None = None
        self.is_ready = False
        self.trouble = ""
        self._rest = b""
        self._process = start_module(
            MODULE, job.to_json(), str(scratch), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=2
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor on which it speaks, for a selector."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def give(self, part: str) -> None:
        """Let it judge a part. If it has just died, that is found when it is heard."""
        assert self._process.stdin is not None
        self.part = part
        try:
            self._process.stdin.write(part.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def heard(self) -> list[dict[str, Any]] | None:
        """Return what it has said since; None once it has ended."""
        said = os.read(self.fileno(), 1 << 16)
        if not said:
            return None
        *lines, self._rest = (self._rest + said).split(b"\n")
        return [json.loads(line) for line in lines]

    def ended(self) -> int:
        """Make sure that it has ended; returns its exit code, negative for a signal."""
        process = self._process
        try:
            code = process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._close()
        return code

    def stop(self) -> None:
        """Ask it to end; a part that is half judged or half written leaves nothing."""
        self._process.terminate()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # a part was never read
                pipe.close()
