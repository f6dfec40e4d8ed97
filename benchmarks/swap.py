"""What does a new model cost that takes over while photos are filed, and is a photo lost by it?

    python -m benchmarks.swap

`phototriage watch` with photos always waiting: for a while as it is, and for as long while two models take turns, each
asked for as soon as the one before serves. They are the shipped model and the same with other names for its classes,
so that a photo that was judged by one of them and filed under a class of the other is found.
"""

import argparse
import json
import sqlite3
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import add_model, finish, parser, tell, workplace
from benchmarks.photos import made
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, phototriage
from common.publish import publish_bytes
from contract.session import open_model
from daemon.ledger.state_folder import LEDGER
from daemon.photo import REVIEW_FOLDER
from tests.colour_model import contract_text, with_changes

WAITING = 100
"""Photos that always wait."""
PATIENCE_S = 120.0
MEANING = "No photo may be lost, fail, or lie under a class of another model than the one in its row of the ledger."


def main() -> None:
    options = parser("swap", __doc__, "three seconds each")
    options.add_argument("--seconds", type=float, default=30.0, help="of each half")
    options.add_argument("--device", default="auto", help="as of watch")
    add_model(options)
    arguments = options.parse_args()
    if arguments.short:
        arguments.seconds = min(arguments.seconds, 3.0)
    finish("swap", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """One half without swaps, and one with them."""
    photos = [path.read_bytes() for path in made(arguments.work, "small")]
    with workplace(arguments.work, "swap") as place:
        before = _half("as it is", place / "before", photos, arguments, swapped=False)
        after = _half("models take turns", place / "after", photos, arguments, swapped=True)
    figure = {name: after[name] for name in ("swaps", "lost", "failed", "wrong")}
    return Told([before, after], figure | {"rate, ratio": round(after["photos/s"] / before["photos/s"], 2)}, MEANING)


def renamed(model: bytes) -> bytes:
    """Return a model with other names for its classes."""
    contract = json.loads(contract_text(model))
    thresholds = {f"new-{label}": value for label, value in contract["thresholds"].items()}
    return with_changes(model, labels=[f"new-{label}" for label in contract["labels"]], thresholds=thresholds)


def _half(name: str, place: Path, photos: Sequence[bytes], arguments: argparse.Namespace, *, swapped: bool) -> Row:
    inbox, output, model = place / "in", place / "out", place / "model.onnx"
    inbox.mkdir(parents=True)
    old = arguments.model.read_bytes()
    models = (renamed(old), old)
    model.write_bytes(old)
    words = phototriage("watch", inbox, output, model, "--quiet", "--device", arguments.device)
    process, ended = Watched(words, place / "process"), threading.Event()
    process.until_ready()
    tell(f"{name}: {arguments.seconds:g} s")
    fed: list[int] = []
    feeder = threading.Thread(target=_feed, args=(inbox, photos, fed, ended))
    began_s, swaps_s = time.monotonic(), list[float]()
    feeder.start()
    while time.monotonic() - began_s < arguments.seconds:
        if swapped:
            swaps_s.append(_swap(process, model, models[len(swaps_s) % 2], len(swaps_s)))
        else:
            time.sleep(0.1)
    ended.set()
    feeder.join()
    _until_filed(inbox, process)
    seconds = time.monotonic() - began_s
    process.stop()
    wrong, failed, filed = _counted(place / "process" / "state" / LEDGER, models)
    return {
        "half": name, "photos": len(fed), "photos/s": round(len(fed) / seconds, 1), "swaps": len(swaps_s),
        "s from wish to swap, p50": round(statistics.median(swaps_s), 3) if swaps_s else None,
        "lost": len(fed) - filed - failed, "failed": failed, "wrong": wrong,
    }  # fmt: skip


def _feed(inbox: Path, photos: Sequence[bytes], fed: list[int], ended: threading.Event) -> None:
    part = inbox.parent / "part"
    while not ended.is_set():
        if sum(1 for _ in inbox.iterdir()) > WAITING:
            time.sleep(0.01)
            continue
        part.write_bytes(photos[len(fed) % len(photos)] + f"photo {len(fed)}".encode())
        part.rename(inbox / f"{len(fed):07d}.jpg")
        fed.append(len(fed))


def _swap(process: Watched, model: Path, data: bytes, done: int) -> float:
    """Put another model in the place of the one that serves, and return the seconds until it does."""
    began_s = time.monotonic()
    publish_bytes(model, data)
    process.hang_up()
    while process.errors.read_bytes().count(b" is replaced by ") <= done:
        if b" is refused" in process.errors.read_bytes() or process.ended() or time.monotonic() - began_s > PATIENCE_S:
            raise SystemExit(f"the model was not taken:\n{process.errors.read_text()}")
        time.sleep(0.005)
    return time.monotonic() - began_s


def _until_filed(inbox: Path, process: Watched) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while any(path.suffix == ".jpg" for path in inbox.iterdir()):
        if process.ended() or time.monotonic() > end_s:
            raise SystemExit("photos stay in the inbox")
        time.sleep(0.02)


def _counted(ledger: Path, models: Sequence[bytes]) -> tuple[int, int, int]:
    """Return how many rows hold a class of another model than theirs, how many failed, and how many lie in place."""
    opened = [open_model(data, "cpu") for data in models]
    labels = {model.sha256: set(model.contract.labels) for model in opened}
    connection = sqlite3.connect(ledger)
    rows = connection.execute("SELECT state, label, model, top, CAST(destination AS TEXT) FROM photos").fetchall()
    connection.close()
    placed = [row for row in rows if row[0] in ("filed", "review")]  # some of the photos are of no class
    wrong = sum(
        label not in labels[model]
        or not set(json.loads(top)) <= labels[model]
        or Path(place).parent.name != (label if state == "filed" else REVIEW_FOLDER)
        for state, label, model, top, place in placed
    )
    return wrong, sum(row[0] == "failed" for row in rows), sum(Path(row[4]).is_file() for row in placed)


if __name__ == "__main__":
    main()
