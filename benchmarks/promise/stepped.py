"""Commands of phototriage that stop at each system call of the protocol, until they are let go on or killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.promise.kills import CALLS
from benchmarks.promise.world import BrokenError

_SERVER = """
import contextlib, os, signal, sys
import phototriage, daemon.commands.moves.undo, daemon.startup_recovery, daemon.undo.undo
import daemon.commands.moves.refile, daemon.refile.proposals, daemon.refile.refile, contract.session
with contextlib.suppress(ImportError):
    import bulk.commands.file, bulk.filing.file, bulk.results.store
print("ready", flush=True)
for words in sys.stdin:
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nothing, number)
        phototriage.cli(words.rstrip("\\n").split("\\0"))
    while os.WIFSTOPPED(status := os.waitpid(child, os.WUNTRACED)[1]):
        print("stopped", flush=True)
        os.kill(child, int(sys.stdin.readline()))
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
"""It imports once and forks for each command, because the imports take longer than the command."""


class Stepper:
    """Runs one command after the other; `stepper` makes one.

    Args:
        server: answers on its standard output what happened to the command that it runs.
    """

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def stops(self, *words: str | Path) -> Iterator[int]:
        """Run a command, and yield at each system call its number, while the command stands still after the call.

        Raises:
            BrokenError: it did not end with exit code 0.
        """
        self._tell("\0".join(map(str, words)))
        number = 0
        while self._answer() == "stopped":
            number += 1
            yield number
            self._tell(str(int(signal.SIGCONT)))
        if self._said != "0":
            raise BrokenError(f"{words[0]} ended with {self._said}")

    def killed_after(self, number: int, *words: str | Path) -> bool:
        """Run a command and kill it after its call of this number; False if it ended before."""
        self._tell("\0".join(map(str, words)))
        for _ in range(number - 1):
            if self._answer() != "stopped":
                return False
            self._tell(str(int(signal.SIGCONT)))
        if self._answer() != "stopped":
            return False
        self._tell(str(int(signal.SIGKILL)))
        return self._answer() == str(-signal.SIGKILL)

    def _tell(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{line}\n")
        self._server.stdin.flush()

    def _answer(self) -> str:
        assert self._server.stdout is not None
        self._said = self._server.stdout.readline().strip()
        if not self._said:
            raise BrokenError("strace or the process that it traces ended")
        return self._said


@contextmanager
def stepper(environment: Mapping[str, str], calls: Sequence[str] = CALLS) -> Iterator[Stepper]:
    """Yield what runs commands step by step.

    Args:
        environment: of the commands.
        calls: where they stop.

    Raises:
        FileNotFoundError: without strace.
    """
    names = ",".join(calls)
    inject = ["-e", f"trace={names}", "-e", f"inject={names}:signal=SIGSTOP", "-e", "signal=none"]
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        words = [sys.executable, "-c", _SERVER]
        server = stack.enter_context(
            subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=environment, process_group=0)
        )
        stack.callback(os.killpg, server.pid, signal.SIGKILL)  # with a command that stands still
        assert server.stdout is not None
        server.stdout.readline()  # "ready": its own imports are not stopped
        words = ["strace", "-f", "-o", os.devnull, *inject, "-p", str(server.pid)]
        strace = stack.enter_context(subprocess.Popen(words, stderr=pipe, text=True))
        stack.callback(strace.kill)
        assert strace.stderr is not None
        strace.stderr.readline()  # "attached"
        yield Stepper(server)
