"""Is the input pipeline a bottleneck?

Steps of fine-tuning as the default recipe does them, on photos as they come (drawn from the memory-mapped cache,
warped, stacked) and on one batch repeated from memory, in turns, so that a machine that slows down slows both. The
ratio is that of neighbouring rounds; CPU is what all threads of the process spent, which another program that is
running does not change. `feed alone` is what the feed gives when nobody computes.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.told import Told
from benchmarks.training.drawn import draw_photos


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--rounds", type=int, default=12, help="rounds of each kind")
    options.add_argument("--steps", type=int, default=4, help="steps in a round")
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--size-px", type=int, default=160, help="side of the photos trained on")


def run(arguments: argparse.Namespace) -> Told:
    if arguments.short:
        arguments.rounds, arguments.steps, arguments.batch_size, arguments.size_px = 3, 2, 8, 32
    os.environ["XDG_CACHE_HOME"] = str((arguments.work / "cache").absolute())
    from training.network.device import start_keras

    start_keras()
    learner = _learner(arguments.size_px)
    with _feed(draw_photos(arguments.work, 3000), arguments) as feed:
        kept = next(feed.epoch(1))
        learner.train_on_batch(*kept)
        alone = _timed(_endless(feed), lambda photos, targets: None, arguments)
        coming = _endless(feed)
        next(coming)
        pairs = [
            (_timed(coming, learner.train_on_batch, arguments), _timed(repeat(kept), learner.train_on_batch, arguments))
            for _ in range(arguments.rounds)
        ]
    return _told(pairs, alone, arguments)


def _learner(size_px: int) -> Any:
    import keras

    from training.network.network import build
    from training.recipe.recipe import Recipe

    learner = build(Recipe(), 10, None, size_px)
    learner.compile(keras.optimizers.AdamW(1e-4), keras.losses.CategoricalCrossentropy(from_logits=True))
    return learner


def _feed(dataset: Path, arguments: argparse.Namespace) -> Any:
    from contract.geometry import Geometry
    from training.dataset.cache import decode_all
    from training.dataset.layout import find_dataset
    from training.fit.feed import BatchFeed
    from training.recipe.recipe import Recipe

    photos = find_dataset(dataset).photos
    found = decode_all((photo.path for photo in photos), Geometry(size_px=arguments.size_px))
    import numpy as np

    labels = np.array([photo.label for photo in photos])
    return BatchFeed(found.pixels, found.rows, labels, 10, arguments.batch_size, Recipe().augmentation, 0)


def _endless(feed: Any) -> Iterator[Any]:
    number = 0
    while True:
        number += 1
        yield from feed.epoch(number)


def _timed(batches: Iterator[Any], step: Callable[..., Any], arguments: argparse.Namespace) -> tuple[float, float]:
    """Wall and CPU seconds of one round."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(arguments.steps):
        step(*next(batches))
    return time.perf_counter() - wall, time.process_time() - cpu


def _told(pairs: list[Any], alone: tuple[float, float], arguments: argparse.Namespace) -> Told:
    photos = arguments.steps * arguments.batch_size
    rows = [
        {
            "batches": name,
            "photos/s": round(photos / statistics.median(pair[place][0] for pair in pairs), 1),
            "CPU ms a photo": round(1e3 * statistics.median(pair[place][1] for pair in pairs) / photos, 2),
        }
        for place, name in enumerate(("as they come", "one, repeated"))
    ]
    rows.append(
        {
            "batches": "feed alone",
            "photos/s": round(photos / alone[0], 1),
            "CPU ms a photo": round(1e3 * alone[1] / photos, 2),
        }
    )
    wall = statistics.median(again[0] / real[0] for real, again in pairs)
    cpu = statistics.median(again[1] / real[1] for real, again in pairs)
    meaning = "1 is no bottleneck at all; 0.95 is allowed: the speed on photos as they come, of that on one batch."
    return Told(rows, {"ratio": round(wall, 3), "CPU ratio": round(cpu, 3)}, meaning)
