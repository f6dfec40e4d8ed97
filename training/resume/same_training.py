"""Is it the same training? Settings and photos in a form that a checkpoint keeps, and what differs, in words."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from training.dataset.prepare import Prepared
from training.dataset.samples import Samples
from training.recipe.recipe import Recipe
from training.recipe.settings import flatten

SHOWN = 4  # differing settings named one by one

_WORDS = {"train": "photos to train on", "val": "photos to check with", "test": "test photos"}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its name in the recipe, `fine_tune.epochs` for one in a section; lists as JSON has them."""
    flat = flatten(asdict(recipe))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat.items()}


def photos_of(prepared: Prepared) -> dict[str, Any]:
    """What tells the photos: the classes, and how many photos are on each side, with a hash of paths and contents."""
    root = os.fspath(prepared.dataset.root)
    sides = {"train": prepared.learning, "val": prepared.samples.of("val"), "test": prepared.samples.of("test")}
    return {
        "labels": list(prepared.dataset.labels),
        **{name: {"photos": len(samples.photos), "sha256": _hash(samples, root)} for name, samples in sides.items()},
    }


def _hash(samples: Samples, root: str) -> str:
    total = hashlib.sha256()
    for photo, digest in zip(samples.photos, samples.hashes, strict=True):
        total.update(os.fsencode(os.path.relpath(photo.path, root)) + b"\0" + digest)
    return total.hexdigest()


def differing_settings(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """`seed: 0 there, 1 now`, joined by semicolons; empty when nothing differs."""
    keys = [key for key in sorted({*there, *now}) if there.get(key) != now.get(key)]
    told = [f"{key}: {json.dumps(there.get(key))} there, {json.dumps(now.get(key))} now" for key in keys[:SHOWN]]
    return "; ".join(told + ([f"and {len(keys) - SHOWN} more"] if len(keys) > SHOWN else []))


def differing_photos(there: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs in the photos, in words; empty when nothing does."""
    return "; ".join(_photos_in_words(there, now))


def _photos_in_words(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if there["labels"] != now["labels"]:
        yield f"classes: {', '.join(there['labels'])} there, {', '.join(now['labels'])} now"
    for side, words in _WORDS.items():
        counts = there[side]["photos"], now[side]["photos"]
        if counts[0] != counts[1]:
            yield f"{words}: {counts[0]} there, {counts[1]} now"
        elif there[side] != now[side]:
            yield f"{words}: as many, but not the same ones"
