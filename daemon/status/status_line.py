"""The status in one line, for `systemctl status`."""

from common.text import printable
from daemon.status.snapshot import StatusSnapshot
from daemon.status.snapshot_parts import State, WaitingPhotos


def status_line(status: StatusSnapshot) -> str:
    """Return one line, as `ready on cpu; 12,345 filed, 2 failed, 3 waiting, oldest 0.2 s`."""
    why = f": {status.why}" if status.why else ""
    failed = status.outcomes.get("failed", 0)
    counts = f"{status.filed:,} filed, {f'{failed:,} failed, ' if failed else ''}{waiting_words(status.waiting)}"
    return printable(f"{status.state}{where(status)}{why}; {counts}")


def where(status: StatusSnapshot) -> str:
    """Return ` on cpu` for a daemon that files there, or nothing."""
    files = status.provider and status.state in (State.READY, State.DEGRADED)
    return f" on {status.provider}" if files else ""


def waiting_words(waiting: WaitingPhotos) -> str:
    """Return how many photos wait, and how long the oldest: `3 waiting, oldest 0.2 s`."""
    more = " or more" if waiting.more and waiting.photos else ""
    oldest = f", oldest {lasting(waiting.oldest_s)}" if waiting.oldest_s is not None else ""
    return f"{waiting.photos:,}{more} waiting{oldest}"


def lasting(seconds: float) -> str:
    """Return a duration in one unit: `0.2 s`, `45 s`, `12 min`, `3.5 h`, `4.1 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
