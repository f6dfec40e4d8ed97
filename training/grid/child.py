"""One training in a process of its own, which ends when this one does, however that ends."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

import click

_SAID = "phototriage: "  # how the front door begins the sentence that a command ends with
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def run_child(command: Sequence[str]) -> str:
    """Run a command to its end; what it writes goes where this process writes.

    Ctrl-C is left to this process, which then ends the child: a training would take it as a wish to be done early.

    Returns:
        Why it failed, in a sentence; empty where it did not.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=_tied_to(os.getpid()),  # noqa: PLW1509 - only a process itself can ask for its parent's death
    )
    try:
        sentence, last = _listen(child)
        code = child.wait()
        if code == 0 and sentence:
            click.echo(_SAID + sentence, err=True)
        return _why(code, sentence or last)
    finally:
        child.kill()  # does nothing to one that has ended
        child.wait()
        if child.stderr is not None:
            child.stderr.close()


def _tied_to(parent: int) -> Callable[[], None]:
    """What the child does first: it asks the kernel to be killed with its parent, and ignores Ctrl-C."""

    def tie() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before it could be asked
            os._exit(1)

    return tie


def _listen(child: "subprocess.Popen[str]") -> tuple[str, str]:
    """Pass on what it says on standard error, but the sentence that it ends with; returns that, and its last line."""
    sentence = last = ""
    for line in child.stderr or ():
        if line.startswith(_SAID):
            sentence = line.removeprefix(_SAID).strip()
            continue
        click.echo(line, nl=False, err=True)
        last = line.strip() or last
    return sentence, last


def _why(code: int, said: str) -> str:
    if code == 0:
        return ""
    if code == -signal.SIGKILL:
        return "It was killed by SIGKILL, as the kernel does where memory runs out."
    if code < 0:
        return f"It was ended by {signal.Signals(-code).name}. {said}".strip()
    return said or f"It ended with code {code} and said nothing."
