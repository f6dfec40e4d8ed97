"""How many photos a second are read, classified and judged, with 0, 100 and 10,000 labels.

In one thread, by the code of a dry run, in turns, by CPU time. Each label has a fingerprint and an embedding under the
id of the model. `unsure` sends every photo to review, so that each is compared with all labels; else only those are
compared of which the model is not sure. With labels the capture time of each photo is read, too.
"""

import argparse
import hashlib
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.common import add_model, tell
from benchmarks.photos import made
from benchmarks.told import Told
from benchmarks.words.photos import NAME
from contract.fingerprint import SIDE, Fingerprint
from contract.session import Model, open_model
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.files.identity import look_at
from daemon.photo import Embedding, Found
from daemon.predict import predict, trial_guard
from daemon.words.word import Word
from daemon.words.words import Words

LABELS = (0, 100, 10_000)
MEANING = "Photos a second with 10,000 labels over those with none, photos that the model is sure of among them."


def add_options(options: argparse.ArgumentParser) -> None:
    """Add what only this part takes."""
    add_model(options)
    options.add_argument("--photos", type=int, default=500, help="in each round")
    options.add_argument("--rounds", type=int, default=5, help="the median counts")


def run(arguments: argparse.Namespace) -> Told:
    """Measure photos of 100 px, of which decoding takes the least."""
    opened, rounds = open_model(arguments.model, "cpu"), 1 if arguments.short else arguments.rounds
    paths = list(itertools.islice(itertools.cycle(made(arguments.work, "small")), arguments.photos))
    known = {count: Words(said(count, opened)) for count in LABELS}
    rules: dict[str, str | float] = {"as it is": "auto", "unsure": 1.0}
    took: dict[tuple[str, int], list[float]] = {way: [] for way in itertools.product(rules, LABELS)}
    for number in range(rounds):
        for way in took if number % 2 == 0 else reversed(took):
            tell(f"round {number + 1}, {way[0]}, {way[1]} labels")
            loaded = LoadedModel(opened, rules_of(opened, rules[way[0]]))
            took[way].append(_cpu_s(paths, loaded, known[way[1]], arguments.work))
    each = {way: statistics.median(seconds) / len(paths) for way, seconds in took.items()}
    rows = [
        {"photos": name, "labels": count, "ms of CPU a photo": round(1e3 * each[name, count], 3),
         "x": round(each[name, 0] / each[name, count], 3)}
        for name, count in took
    ]  # fmt: skip
    return Told(rows, {"x": round(each["as it is", 0] / each["as it is", LABELS[-1]], 3)}, MEANING)


def said(count: int, model: Model) -> Iterator[Word]:
    """Words about photos that are unlike all others, each of the bytes of no photo."""
    rng = np.random.default_rng(0)
    familiarity = model.contract.familiarity
    assert familiarity is not None
    for number in range(count):
        values = rng.normal(size=familiarity.dimensions)
        where = Embedding(familiarity.id, (values / np.linalg.norm(values)).astype("<f2").tobytes())
        mark = Fingerprint(int(rng.integers(1 << 63)), 20, False, rng.bytes(3 * SIDE * SIDE))
        yield Word("said", hashlib.sha256(b"%d" % number).hexdigest(), mark, where, None, NAME)


def _cpu_s(paths: list[Path], loaded: LoadedModel, words: Words, work: Path) -> float:
    with trial_guard(work / "no state") as guard:
        began_s = time.process_time()
        for _ in predict(enumerate(paths), _found, loaded, guard, count=len(paths), threads=1, words=words):
            pass
        return time.process_time() - began_s


def _found(case: tuple[int, Path]) -> Found | None:
    identity = look_at(case[1])
    return None if identity is None else Found(case[1], identity)
