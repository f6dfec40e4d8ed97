"""Checks that may hang, each in a child process with a time limit: a dead mount holds up only its own check."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.text import printable
from daemon.doctor.finding import Finding, Level, fault
from daemon.process.child import start_module

FOLDERS_S, MODEL_S = 5.0, 60.0
"""A file system answers in milliseconds, or is dead; loading CUDA takes seconds."""
_DIES_WITHIN_S = 0.5


@dataclass(frozen=True, slots=True)
class BoxedCheck:
    """One check in a process of its own.

    Attributes:
        about: what is checked; names the finding if there is no answer.
        question: for `daemon.doctor.probe`.
        limit_s: its time limit.
        inside: words before the command, as `nsenter ... --`.
        cure: what to do if there is no answer.
    """

    about: str
    question: dict[str, Any]
    limit_s: float = FOLDERS_S
    inside: tuple[str, ...] = ()
    cure: str = ""


def path_as_bytes(path: Path) -> list[int]:
    """Return a path as JSON can carry it, even if it is not UTF-8."""
    return list(os.fsencode(path))


def look_at_all(looks: Sequence[BoxedCheck]) -> Iterator[list[Finding]]:
    """Start all checks side by side; return an iterator of their findings, in order."""
    answers: list[list[Finding]] = [[] for _ in looks]

    def fill(place: int) -> Callable[[], None]:
        return lambda: answers[place].extend(look(looks[place]))

    threads = [threading.Thread(target=fill(place), daemon=True) for place in range(len(looks))]
    for thread in threads:
        thread.start()
    return map(_awaited, threads, answers)


def _awaited(thread: threading.Thread, findings: list[Finding]) -> list[Finding]:
    thread.join()
    return findings


def look(wanted: BoxedCheck) -> list[Finding]:
    """Start the child and return its findings, or the finding that it gave no answer."""
    pipe = subprocess.PIPE
    try:
        child = start_module("daemon.doctor.probe", stdin=pipe, stdout=pipe, stderr=pipe, inside=wanted.inside, cwd="/")
    except OSError as error:
        command = (*wanted.inside, sys.executable)[0]
        return [fault(wanted.about, f"the check could not be started ({error.strerror})", f"{command} --version")]
    try:
        out, errors = _answer(child, json.dumps(wanted.question).encode(), wanted.limit_s)
    except subprocess.TimeoutExpired:
        _give_up(child)
        return [
            fault(
                wanted.about,
                f"no answer within {wanted.limit_s:.0f} s; the server of a mount may be away",
                wanted.cure or "findmnt; sudo umount -l MOUNT",
            )
        ]
    try:
        return [Finding(**(facts | {"level": Level(facts["level"])})) for facts in json.loads(out)]
    except (ValueError, TypeError, KeyError):
        lines = errors.decode(errors="replace").strip().splitlines()
        last = printable((lines or [f"the process ended with {child.returncode}"])[-1])
        return [fault(wanted.about, f"the check failed: {last}", wanted.cure or "report this, with the line above")]


def _answer(child: "subprocess.Popen[bytes]", question: bytes | None, limit_s: float) -> tuple[bytes, bytes]:
    """Wait for a child's answer. On a busy machine a child that makes progress gets up to a minute.

    Raises:
        TimeoutExpired: it used no processor time for `limit_s`, as when it waits for a mount, or took too long in all.
    """
    window_s = limit_s / 10
    used, still, windows = -1, 0, 0
    while True:
        try:
            return child.communicate(question, timeout=window_s)
        except subprocess.TimeoutExpired:
            question, before, used = None, used, _processor_ticks(child.pid)
            still = 0 if used != before else still + 1
            windows += 1
            if still * window_s >= limit_s or windows * window_s >= max(limit_s, MODEL_S):
                raise


def _processor_ticks(process: int) -> int:
    """Return how much processor time a process used so far (proc_pid_stat(5)); 0 if it is gone."""
    try:
        after_name = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        return sum(map(int, after_name.split()[11:13]))
    except OSError:
        return 0


def _give_up(child: "subprocess.Popen[bytes]") -> None:
    """Kill a child and wait only a moment: a process that sleeps in the kernel for a dead server may not even die."""
    child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_DIES_WITHIN_S)
    for pipe in (child.stdin, child.stdout, child.stderr):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
