"""Run one training in a child process, which the kernel kills if this process ends."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

import click

_PREFIX = "phototriage: "  # prefix of the last line of a failing command
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def run_child(command: Sequence[str]) -> str:
    """Run a command to its end; its output goes to the output of this process.

    Ctrl-C reaches only this process, which then kills the child, because a training would stop early and count as done.

    Returns:
        Why the command failed, in a sentence; empty if it succeeded.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509 - only a process itself can ask for its parent's death
    )
    try:
        sentence, last = _forward_stderr(child)
        code = child.wait()
        if code == 0 and sentence:
            click.echo(_PREFIX + sentence, err=True)
        return _failure(code, sentence or last)
    finally:
        child.kill()  # has no effect on an ended process
        child.wait()
        if child.stderr is not None:
            child.stderr.close()


def _die_with_parent(parent: int) -> Callable[[], None]:
    """First code in the child: ignore Ctrl-C, and ask the kernel to kill it when its parent ends."""

    def tie() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the request
            os._exit(1)

    return tie


def _forward_stderr(child: "subprocess.Popen[str]") -> tuple[str, str]:
    """Forward standard error, except for the final error; returns that error and the last other line."""
    sentence = last = ""
    for line in child.stderr or ():
        if line.startswith(_PREFIX):
            sentence = line.removeprefix(_PREFIX).strip()
            continue
        click.echo(line, nl=False, err=True)
        last = line.strip() or last
    return sentence, last


def _failure(code: int, said: str) -> str:
    if code == 0:
        return ""
    if code == -signal.SIGKILL:
        return "It was killed by SIGKILL, possibly because memory ran out."
    if code < 0:
        return f"It was ended by {signal.Signals(-code).name}. {said}".strip()
    return said or f"It ended with code {code} and printed no message."
