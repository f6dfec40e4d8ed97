"""How often a part is tried, and what is said of the worker that ended over it, whatever engine it belongs to."""

import signal
from contextlib import closing
from pathlib import Path

from bulk.engines.member import HUNG
from common.child import signal_name
from common.text import printable
from daemon.decode.suspects import JOURNAL, CrashJournal

TRIES = 3
"""So often a part is judged. At the second try its suspects are decoded alone, at the third with less memory."""
STARTS = 3
"""So many workers in a row may end before they are ready."""
GIVEN_UP = 3
"""After so many parts in a row that were given up, the cause is no photo."""
CUDA_WORKERS = 8
"""So many share a GPU; each holds a session on it."""


def how_it_ended(code: int, trouble: str) -> str:
    """Return how a worker ended, as the rest of a sentence.

    Args:
        code: of its end, negative for a signal.
        trouble: what it said before, if it did.
    """
    if code == HUNG:
        return "hung in the decoder"
    if trouble:
        return f"ended because of this: {trouble.rstrip('.')}"
    if code == -signal.SIGKILL:
        return "was killed, as the kernel does when memory runs out"
    return f"died of {signal_name(-code)}" if code < 0 else "crashed, and why stands above"


def given_up(part: str, how: str, folder: Path) -> str:
    """Return what is said of a part that was tried often enough.

    Args:
        part: its name.
        how: its last worker ended.
        folder: the part's temporary files, with the journal of what was in the decoder.
    """
    suspects: list[Path] = []
    if (folder / JOURNAL).exists():
        with closing(CrashJournal(folder / JOURNAL)) as notes:
            suspects = notes.suspects()
    names = ", ".join(printable(path) for path in suspects)
    cure = f"In the decoder was {names}: take it away" if names else "Free memory, or ask for fewer --workers"
    return (
        f"{part} was judged {TRIES} times, and each time its worker ended; the last {how}. Nothing of it is published."
        f" {cure}, and give the same command again."
    )


def never_ready(how: str) -> str:
    """Return what is said when workers end before they can judge anything."""
    return f"{STARTS} workers ended before they could judge anything; the last {how}."
