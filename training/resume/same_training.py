"""Compare settings and photos with those of a checkpoint, and describe the differences."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from training.dataset.prepare import PreparedData
from training.dataset.samples import Samples
from training.recipe.idle import FORMER
from training.recipe.recipe import Recipe
from training.recipe.settings import flatten

SHOWN = 4  # differing settings named one by one

_WORDS = {"train": "training photos", "val": "validation photos", "test": "test photos"}


def flat_settings(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its full name, such as `fine_tune.epochs`; tuples become lists as in JSON."""
    flat = flatten(asdict(recipe))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}


def photos_fingerprint(prepared: PreparedData) -> dict[str, Any]:
    """Fingerprint of the photos: the classes, and the number and hash (of paths and contents) of each split; also the
    hashes of the labels and of the photos without labels, if there are any.
    """
    root = os.fspath(prepared.dataset.root)
    sides = {"train": prepared.learning, "val": prepared.samples.of("val"), "test": prepared.samples.of("test")}
    labelled, unlabelled = prepared.labelled, prepared.unlabelled
    return {
        "labels": list(prepared.dataset.labels),
        "labelled": "" if labelled is None else labelled.sha256,
        "unlabelled": "" if unlabelled is None else unlabelled.sha256,
        **{name: {"photos": len(samples.photos), "sha256": _hash(samples, root)} for name, samples in sides.items()},
    }


def _hash(samples: Samples, root: str) -> str:
    total = hashlib.sha256()
    for photo, digest in zip(samples.photos, samples.hashes, strict=True):
        total.update(os.fsencode(os.path.relpath(photo.path, root)) + b"\0" + digest)
    return total.hexdigest()


def differing_settings(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe differing settings, such as `seed: 0 there, 1 now`; empty if all are equal.

    A setting that an earlier version did not have yet counts with its default, and one that only it had does not count.
    """
    there = {key: value for key, value in {**flat_settings(Recipe()), **there}.items() if key not in FORMER}
    keys = [key for key in sorted({*there, *now}) if there.get(key) != now.get(key)]
    described = [f"{key}: {json.dumps(there.get(key))} there, {json.dumps(now.get(key))} now" for key in keys[:SHOWN]]
    return "; ".join(described + ([f"and {len(keys) - SHOWN} more"] if len(keys) > SHOWN else []))


def differing_photos(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe differences of the photos; empty if there are none."""
    return "; ".join(_photos_in_words(there, now))


def _photos_in_words(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if there["labels"] != now["labels"]:
        yield f"classes: {', '.join(there['labels'])} there, {', '.join(now['labels'])} now"
    if there.get("labelled", "") != now["labelled"]:  # earlier versions knew no labels
        yield "what people said of photos: other labels there than now"
    if there.get("unlabelled", "") != now["unlabelled"]:
        yield "photos without labels: others there than now"
    for side, words in _WORDS.items():
        counts = there[side]["photos"], now[side]["photos"]
        if counts[0] != counts[1]:
            yield f"{words}: {counts[0]} there, {counts[1]} now"
        elif there[side] != now[side]:
            yield f"{words}: the same number, but other photos"
