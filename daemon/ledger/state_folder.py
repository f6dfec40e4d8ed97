"""Whether a daemon is at work on a ledger: it holds a lock beside it."""

import fcntl
from pathlib import Path

LOCK = "lock"


def is_at_work(state: Path) -> bool:
    """Tell whether another process holds the lock in the folder of a ledger now."""
    try:
        with (state / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
