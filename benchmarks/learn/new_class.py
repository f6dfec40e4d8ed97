"""A seventh class from a few photos: how much of it is found, and what that costs the other six."""

from statistics import fmean

import numpy as np

from benchmarks.common import tell
from benchmarks.learn.corrections import accuracy
from benchmarks.learn.features import NEVER, TEST, TRAIN, Store
from benchmarks.learn.owner import World, remembered
from benchmarks.told import Row, Told
from learn.fitting.gate import duel, judge, of_each_class
from learn.fitting.head import Lessons, anchors, fit, joined, labels
from learn.fitting.layer import Floats, Layer
from learn.fitting.trial import PULL, PULL_NEW

PHOTOS = (10, 20)
MEANING = (
    "Share of a new class that is found from 20 photos, and points lost by the six others: the worst of the means."
)


def measured(store: Store, draws: int) -> Told:
    """Teach each kind, from 10 and 20 photos, with and without remembered photos as anchors."""
    memory = remembered(store.layer, store.scenes(TRAIN))
    world = World(store.layer, memory, store.scenes(NEVER))
    rows = []
    for kind, (learnt, found) in kinds(store).items():
        for count in PHOTOS:
            tell(f"{kind}, {count} photos")
            rows.append(_row(store, world, kind, (learnt, found), count, draws))
    of_20 = [row for row in rows if row["photos"] == PHOTOS[-1]]
    figures = {"found": min(row["found: mean"] for row in of_20), "others": min(row["others: mean"] for row in of_20)}
    return Told(rows, figures, MEANING)


def kinds(store: Store) -> dict[str, tuple[Floats, Floats]]:
    """Photos to learn from, and those that are measured: the broad network has learnt from none of the latter."""
    halves = {
        kind: (store.foreign(kind, unseen=False).features, store.foreign(kind, unseen=True).features)
        for kind in ("receipts", "rooms")
    }
    return halves | {"clothing": (store.clothing("train").features, store.clothing("test").features)}


def new_lessons(root: Layer, memory: Floats, photos: Floats) -> Lessons:
    """All photos of the new class together weigh as much as all anchors."""
    count = len(root.bias)
    own = labels(np.full(len(photos), count - 1), photos, count, max(1.0, len(memory) / len(photos)))
    return joined(anchors(root, memory), own)


def _row(store: Store, world: World, kind: str, photos: tuple[Floats, Floats], count: int, draws: int) -> Row:
    root, test = world.root.widened(1), store.scenes(TEST)
    new = len(root.bias) - 1
    before, found, others, taken, bare, refused = accuracy(world.root, test), [], [], [], [], 0
    for draw in range(draws):
        some = photos[0][np.random.default_rng(draw).permutation(len(photos[0]))[:count]]
        head = fit(root, new_lessons(root, world.memory, some), PULL, new=1, pull_new=PULL_NEW)
        found.append(float((head.answers(photos[1]) == new).mean()))
        others.append(accuracy(head, test) - before)
        taken.append(1000 * float((head.answers(test.features) == new).mean()))
        alone = fit(root, new_lessons(root, world.memory[:0], some), PULL, new=1, pull_new=PULL_NEW)
        bare.append(accuracy(alone, test) - before)
        right = world.right(world.root), world.right(head)
        asked = duel(right[0][:0], right[1][:0])
        refused += judge(duel(*right), of_each_class(*right, world.validation.labels, new), asked).kind == "refused"
    return {
        "new class": kind,
        "photos": count,
        "draws": draws,
        "found: mean": round(fmean(found), 3),
        "found: worst": round(min(found), 3),
        "others: mean": round(fmean(others), 2),
        "others: worst": round(min(others), 2),
        "scenes taken for it, of 1,000": round(fmean(taken), 1),
        "refused": refused,
        "others without anchors: mean": round(fmean(bare), 2),
    }
