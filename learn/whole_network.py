"""When heads no longer help: labels that `train` can make more of, because `learn` fits the last layer alone."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.text import printable
from learn.fitting.gate import REFUSED
from learn.fitting.trial import PULL, Judged, World

SHARE = 0.2
"""New labels, as a share of the photos that the network learnt from, from which it is worth to train it again."""
LEAST_FOUND, LEAST_JUDGES = 0.6, 10
"""A class is not reached if the head finds less of its held-out photos, of at least so many groups of near-duplicates
(docs/measurements.md)."""


def reasons(data: Mapping[str, Any], world: World, judged: Judged) -> Iterator[str]:
    """Yield why the whole network should learn; nothing if heads do, or if these labels do harm.

    Args:
        data: what the contract of the root says of the photos that it learnt from.
        world: labels and photos.
        judged: the new head.
    """
    if judged.verdict.kind == REFUSED:
        return
    photos = data.get("photos", {})
    trained = sum(int(photos.get(side, 0)) for side in ("train", "val")) or sum(map(int, photos.values()))
    known = int(data.get("labels", {}).get("photos", 0))
    new = len(world.said.taught) + len(world.said.held_out) - known
    if new >= SHARE * trained > 0:
        yield f"{new:,} labels are new to the network, which learnt from {trained:,} photos"
    for name, (found, count) in _found(world, judged).items():
        if found < LEAST_FOUND * count:
            yield f"a new last layer finds {found} of the {count} held-out photos of {printable(name)}"


def advice(found: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """Yield what to do, in one line; nothing without a reason.

    Args:
        found: the reasons.
        labels: options of `train` that name the labels; none if it cannot take them.
    """
    if found and labels:
        call = f"phototriage train DATASET {shlex.join(labels)} --output run"
        yield f"The whole network may learn more from these labels than its last layer: {'; '.join(found)}. Try: {call}"


def _found(world: World, judged: Judged) -> dict[str, tuple[int, int]]:
    """How many held-out groups of each class a head finds that may change what it likes, and how many there are."""
    groups = defaultdict[str, dict[str, int]](dict)
    for place, one in enumerate(world.said.held_out):
        groups[one.said].setdefault(one.founder, place)
    enough = {name: list(found.values()) for name, found in groups.items() if len(found) >= LEAST_JUDGES}
    if not enough:
        return {}
    answers = world.learn(PULL, judged.layer).answers(world.said.rows(world.said.held_out))
    classes = world.said.classes
    return {
        name: (sum(classes[answers[place]] == name for place in places), len(places)) for name, places in enough.items()
    }
