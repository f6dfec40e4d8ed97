"""A training's process: what it says goes on, why it failed comes back, and Ctrl-C is none of its business."""

import signal
import sys

import pytest

from training.grid.child import run_child


def child(code: str) -> str:
    """Run a line of Python."""
    return run_child((sys.executable, "-c", code))


def test_one_that_ends_well_has_no_reason_and_its_warnings_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    assert child("import sys; print('out', flush=True); print('phototriage in a warning', file=sys.stderr)") == ""
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("out\n", "phototriage in a warning\n")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; print('a warning', file=sys.stderr); sys.exit('phototriage: No photos. Add some.')",
         "No photos. Add some."),
        ("import sys; sys.exit('no sentence of ours')", "no sentence of ours"),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("import sys; sys.exit(3)", "It ended with code 3 and printed no message."),
        ("import os; os.kill(os.getpid(), 15)", "It was ended by SIGTERM."),
        ("import os; os.kill(os.getpid(), 9)", "It was killed by SIGKILL, possibly because memory ran out."),
    ],
)  # fmt: skip
def test_why_it_failed_comes_back_in_a_sentence(code: str, reason: str) -> None:
    assert child(code) == reason


def test_the_sentence_that_comes_back_is_not_said_twice(capfd: pytest.CaptureFixture[str]) -> None:
    child("import sys; print('kept', file=sys.stderr); sys.exit('phototriage: No photos.')")
    assert capfd.readouterr().err == "kept\n"
    assert child("import sys; print('phototriage: All is well.', file=sys.stderr)") == ""
    assert capfd.readouterr().err == "phototriage: All is well.\n"


def test_ctrl_c_is_left_to_the_parent() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert child("import signal, sys; sys.exit(signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)") == ""
