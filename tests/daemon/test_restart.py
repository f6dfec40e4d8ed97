"""A signal to stop that comes while a process is about to be replaced by a new one ends it, and is not lost."""

import signal
import subprocess
import sys

import pytest

from tests.daemon.support import DEADLINE_S, environment

SCRIPT = """
import os, signal, sys, threading
from daemon.process.restart import restart_count, restart_process
from daemon.process.signals import signals

def come():
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

def say(sentence):
    print(sentence, flush=True)
    if {moment!r} == "after the check":
        come()

def hang():
    if {moment!r} == "just before":
        come()
    restart_process(say, "it hangs", worked=True, signals=handler)

if restart_count():
    sys.exit("a new process")
sys.setswitchinterval(1000)  # the main thread runs no handler while the other one works
with signals() as handler:
    if {moment!r} == "long before":
        come()
    thread = threading.Thread(target=hang)
    thread.start()
    thread.join()
"""


def ended(moment: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", SCRIPT.format(moment=moment)]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S, env=environment())


def test_a_process_that_nobody_stops_is_replaced() -> None:
    done = ended("never")
    assert (done.returncode, done.stderr) == (1, "a new process\n")
    assert "The daemon restarts" in done.stdout


@pytest.mark.parametrize("moment", ["long before", "just before"])
def test_a_process_that_was_asked_to_stop_ends_though_its_handler_may_not_have_run_yet(moment: str) -> None:
    done = ended(moment)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "it hangs. phototriage was asked to stop, so it ends, and the next start goes on.\n"


def test_a_signal_that_comes_after_the_last_question_ends_the_process_at_once() -> None:
    done = ended("after the check")
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
