"""What familiarity costs: `phototriage sort` with this model and with an earlier one, in turns."""

import argparse
import statistics
from pathlib import Path

from benchmarks.common import tell
from benchmarks.photos import made
from benchmarks.throughput.takers import Race, Seen, clear, daemon, in_turns
from benchmarks.told import Told

COUNTS = {"small": 1000, "12mp": 72}
"""Photos in a backlog."""


def compared(told: Told, arguments: argparse.Namespace, place: Path) -> None:
    """Add to what was found the rate over that of the earlier model, and the CPU time of a photo under its."""
    models = {"now": arguments.model, "before": arguments.before}
    for mix, count in COUNTS.items():
        photos = made(arguments.work, mix)
        seen: dict[str, list[Seen]] = {name: [] for name in models}
        for order in in_turns(list(models), arguments.rounds):
            for name in order:
                tell(f"{mix}, {name}")
                clear(place)
                few = count // 4 if arguments.short else count
                seen[name].append(daemon(Race(photos, few, place, models[name])))
        pairs = list(zip(seen["now"], seen["before"], strict=True))
        told.figure[f"{mix}, photos/s x"] = round(statistics.median(a.rate / b.rate for a, b in pairs), 3)
        told.figure[f"{mix}, CPU x"] = round(statistics.median(b.cpu_ms / a.cpu_ms for a, b in pairs), 3)
        told.notes.append(f"{mix}: {_words(seen['now'])}; before {_words(seen['before'])}.")


def _words(rounds: list[Seen]) -> str:
    rate, cpu_ms, peak_mb = (
        statistics.median(getattr(each, name) for each in rounds) for name in ("rate", "cpu_ms", "peak_mb")
    )
    return f"{rate:.1f} photos/s, {cpu_ms:.1f} ms of CPU time a photo, at most {peak_mb:.0f} MB"
