"""Do questions about what was filed slow down, or grow, with the ledger?

    python -m benchmarks.ledger

Each command runs on the ledger of a stopped daemon with 1,000 rows and on one with a million, in turn. The ledgers are
made by the daemon's own code; the photos that they name do not exist. `CPU s` is the least of the rounds, `MB` the
process's highest, and `x` the large ledger over the small one. Making a million rows takes one to two minutes.
"""

import argparse
import sqlite3
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from benchmarks.common import finish, parser, tell, workplace
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, phototriage
from daemon.files.identity import Identity, photo_id
from daemon.filing.layout import Layout
from daemon.labels.class_folders import ClassFolders
from daemon.labels.store.place_new import forget_new, newest, place_new
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.ledger.recorded_roots import Root
from daemon.ledger.state_folder import LEDGER
from daemon.photo import Outcome
from tests.colour_model import LABELS, colour_model

FEW, MANY = 1_000, 1_000_000
TOGETHER = 1_000
MEANING = "The large ledger over the small one: 1 is flat. `undo` looks for a third of the photos, `audit` at all rows."


def main() -> None:
    options = parser("ledger", __doc__, "50,000 rows, one round")
    options.add_argument("--rows", type=int, default=MANY, help="of the large ledger")
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    if arguments.short:
        arguments.rows, arguments.rounds = min(arguments.rows, 50_000), 1
    finish("ledger", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """One row for each question."""
    with workplace(arguments.work, "ledger") as place:
        houses = [place / "few", place / "many"]
        for house, rows in zip(houses, (FEW, arguments.rows), strict=True):
            tell(f"{rows} rows")
            make(house, rows)
        rows = [_row(name, houses, arguments.rounds) for name in _words(houses[0], FEW)]
    figure = {f"largest {what}": max(row[what] for row in rows) for what in ("x CPU", "x MB")}
    return Told(rows, figure, MEANING)


def make(house: Path, rows: int) -> None:
    """Make inbox, output, model, and a ledger in which that many photos were filed."""
    for name in ("in", "out"):
        (house / name).mkdir(parents=True)
    (house / "colours.onnx").write_bytes(colour_model())
    (house / "rows").write_text(str(rows))
    ledger = Ledger(house / "state" / LEDGER)
    for role, name in (("inbox", "in"), ("output", "out")):
        ledger.roots.record(role, Root(role, Path("/"), house / name))
    for first in range(0, rows, TOGETHER):
        intents = [_intent(house, number) for number in range(first, min(first + TOGETHER, rows))]
        ledger.conclude(dict.fromkeys(ledger.intend(intents, first), Outcome.FILED), first)
    ledger.close()
    with closing(sqlite3.connect(house / "state" / LEDGER, isolation_level=None)) as connection:
        forget_new(connection, place_new(connection, house / "out", ClassFolders(Layout(), LABELS), newest(connection)))


def _intent(house: Path, number: int) -> Intent:
    label, name = LABELS[number % len(LABELS)], f"IMG_{number:07d}.jpg"
    return Intent(
        becomes=Outcome.FILED,
        source=house / "in" / "2026" / name,
        destination=house / "out" / label / name,
        identity=_identity(number),
        sha256=sha256(str(number).encode()).hexdigest(),
        label=label,
        probability=0.9,
        top=dict.fromkeys(LABELS, 0.1),
        model=64 * "0",
        provider="cpu",
        times_ms=dict.fromkeys(("read", "decode", "classify", "file"), 1.5),
    )


def _identity(number: int) -> Identity:
    return Identity(2049, 10_000_000 + number, 3_000_000 + number, 10**18 + number)


def _words(house: Path, rows: int) -> dict[str, list[str]]:
    """Return the commands by their names."""
    last = _intent(house, rows - 1).destination
    daemon = phototriage("sort", house / "in", house / "out", house / "colours.onnx")
    front = daemon[: daemon.index("sort")]
    asked = {
        "history": "history",
        "history --label, none": "history --label none",
        "history --said, none": "history --said none",
        "history --limit 1000": f"history --limit {TOGETHER} --json",
        "explain PATH": f"explain {last}",
        "explain ID, the youngest": f"explain {photo_id(_identity(rows - 1))}",
        "explain ID, the oldest": f"explain {photo_id(_identity(0))}",
        "status": "status",
        "model list": "model list",
        "undo --dry-run, a third": f"undo --label {LABELS[0]} --dry-run --json",
        "audit, the draw": f"audit --export {house / 'drawn'} --model 0",
        "history --backup": f"history --backup {house / 'backup.sqlite'}",
    }
    commands = {name: [*front, *words.split()] for name, words in asked.items()}
    return commands | {"sort, nothing to file": daemon, "sort --dry-run": [*daemon, "--dry-run"]}


def _row(name: str, houses: list[Path], rounds: int) -> Row:
    tell(name)
    best = [(float("inf"), 0.0), (float("inf"), 0.0)]
    for _ in range(rounds):
        for number, house in enumerate(houses):
            (house / "backup.sqlite").unlink(missing_ok=True)
            cpu_s, peak_mb = _asked(_words(house, int((house / "rows").read_text()))[name], house)
            best[number] = min(best[number][0], cpu_s), max(best[number][1], peak_mb)
    (few_s, few_mb), (many_s, many_mb) = best
    return {
        "command": name,
        "CPU s, few": round(few_s, 2),
        "CPU s, many": round(many_s, 2),
        "x CPU": round(many_s / few_s, 2),
        "MB, few": round(few_mb),
        "MB, many": round(many_mb),
        "x MB": round(many_mb / few_mb, 2),
    }


def _asked(words: list[str], house: Path) -> tuple[float, float]:
    """Run a command; returns its CPU time in seconds, and its megabytes."""
    process = Watched(words, house, codes=(0, 1))  # 1: the daemon does not run, or photos cannot go back
    while not process.ended():
        time.sleep(0.002)
    return process.cpu_s, process.peak_mb


if __name__ == "__main__":
    main()
