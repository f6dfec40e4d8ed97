"""The gate on labels that it must refuse, on right labels, and on heads that differ by chance alone."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np

from benchmarks.common import tell
from benchmarks.learn.cameras import CAMERAS
from benchmarks.learn.corrections import OUTDOOR, SCENES, accuracy, memory_of, owners_world
from benchmarks.learn.features import LATER, NEVER, Store
from benchmarks.learn.owner import FILED, NOTHING, Inbox, World, learn_and_judge
from benchmarks.learn.photos import Photos
from benchmarks.learn.questions import ask
from benchmarks.told import Row, Told
from learn.fitting.at_random import ENOUGH, Dealt, dealt
from learn.fitting.gate import HELPS, OPEN, REFUSED, Duel, Verdict, duel, judge, of_each_class
from learn.fitting.head import anchors, fit, joined, labels
from learn.fitting.layer import Ints, Layer
from learn.fitting.trial import PULL

CHANCE = 100
TAUGHT = (200, 100)  # scene photos and photos of another camera, from which each of two equal heads learns
HONEST = (60, 200)
"""Corrections, and labels of any photos."""
MEANING = (
    "Of 100 heads without any true change, the refused ones; of right labels that tell something, those that look dealt"
    " at random; of labels that must be refused, the least share that is not taken as help, and the most that any of"
    " these takes from the owner in the end, in points."
)
Mislabels = Callable[[Photos, np.random.Generator], Ints]


def measured(store: Store, draws: int) -> Told:
    """Count the verdicts."""
    rows = [_bad(store, told, wrong, draws) for told, wrong in MUST_REFUSE.items()]
    chance = _by_chance(store, CHANCE if draws > 2 else draws)
    honest = _honest(store, CHANCE if draws > 2 else draws)
    least = min(1 - row[HELPS] / row["draws"] for row in rows)
    worst = min(row["served: worst"] for row in rows)
    figures = {
        "refused by chance": chance[-1][REFUSED],
        "right labels refused": sum(row[REFUSED] for row in honest),
        "of": sum(row[REFUSED] + row[OPEN] for row in honest),
        "not taken": least,
        "worst": worst,
    }
    return Told([*rows, *chance, *honest], figures, MEANING)


def shuffled(count: int) -> Mislabels:
    """The owner's labels of random photos are dealt to each other."""

    def wrong(filed: Photos, rng: np.random.Generator) -> Ints:
        some = rng.permutation(len(filed))[:count]
        said = np.full(len(filed), NOTHING)
        said[some] = rng.permutation(filed.labels[some])
        return said

    return wrong


def moved(count: int) -> Mislabels:
    """Random photos are moved to another class at random, so that no label is right."""

    def wrong(filed: Photos, rng: np.random.Generator) -> Ints:
        some, classes = rng.permutation(len(filed))[:count], np.unique(filed.labels)
        place = np.searchsorted(classes, filed.labels[some]) + rng.integers(1, len(classes), len(some))
        said = np.full(len(filed), NOTHING)
        said[some] = classes[place % len(classes)]
        return said

    return wrong


def flooded(count: int) -> Mislabels:
    """Random photos of other classes are said to be of one class."""

    def wrong(filed: Photos, rng: np.random.Generator) -> Ints:
        classes = np.unique(filed.labels)
        into = rng.choice(classes)
        said = np.full(len(filed), NOTHING)
        said[rng.permutation(np.flatnonzero(filed.labels != into))[:count]] = into
        return said

    return wrong


def emptied(filed: Photos, rng: np.random.Generator) -> Ints:
    """All photos of a class are said to be of another one."""
    out, into = rng.permutation(np.unique(filed.labels))[:2]
    return np.where(filed.labels == out, into, NOTHING)


MUST_REFUSE: dict[str, Mislabels] = {
    "50 labels shuffled": shuffled(50),
    "200 labels shuffled": shuffled(200),
    "50 photos moved at random": moved(50),
    "200 photos moved at random": moved(200),
    "50 photos flood a class": flooded(50),
    "100 photos flood a class": flooded(100),
    "a class emptied": emptied,
}


def _bad(store: Store, told: str, wrong: Mislabels, draws: int) -> Row:
    verdicts, fitted, served = [], [], []
    for draw in range(draws):
        tell(f"{told}, draw {draw + 1} of {draws}")
        world, filed, rest = owners_world(store, OUTDOOR, draw)
        learnt = learn_and_judge(world, Inbox(filed, wrong(filed, np.random.default_rng((draw, 2)))), draw)
        before = accuracy(world.root, rest)
        verdicts.append(learnt.verdict)
        fitted.append(accuracy(learnt.head, rest) - before)
        served.append(accuracy(learnt.served, rest) - before)
    return _row(told, verdicts, fitted, served)


def _honest(store: Store, draws: int) -> list[Row]:
    """Right labels, of mistakes and of any photos: how many look dealt at random."""
    cameras = {name: store.camera(name) for name in CAMERAS}
    rows = []
    for name, photos in (cameras | {SCENES: store.scenes(NEVER), OUTDOOR: store.outdoor()}).items():
        wrong = photos.take(np.flatnonzero(store.layer.answers(photos.features) != photos.labels))
        for told, some, count in zip(("corrections", "labels"), (wrong, photos), HONEST, strict=True):
            tell(f"right {told}, {name}")
            found = [_said_right(store, some, count, draw) for draw in range(draws)]
            rows.append(_row(f"{count} right {told}, {name}", _of_labels(found), [0.0], [0.0]) | {"draws": draws})
    return rows


def _said_right(store: Store, photos: Photos, count: int, draw: int) -> Dealt:
    some = photos.take(np.random.default_rng((draw, 4)).permutation(len(photos))[:count])
    return dealt(store.layer, some.features, some.labels)


def _of_labels(found: Sequence[Dealt]) -> list[Verdict]:
    """Verdicts by labels alone, of those that tell something."""
    none = Duel(0, 0, 0)
    return [judge(none, [], none, at_random=each.is_random) for each in found if each.movable >= ENOUGH]


def _by_chance(store: Store, draws: int) -> list[Row]:
    """Two heads learn from as many true labels of other photos, so that neither is better but by luck.

    Luck makes one of them truly better all the same. Nothing is true of the difference any more when a coin decides for
    each photo which of the two answers is the new one.
    """
    verdicts: dict[str, list[Verdict]] = {"two equal heads": [], "the same, by a coin": []}
    gained = []
    for draw in range(draws):
        tell(f"by chance, draw {draw + 1} of {draws}")
        world, filed, (serving, new) = _equal_heads(store, draw)
        rng, plain, tossed = np.random.default_rng((draw, 3)), [], []
        for photos in (world.validation, filed):
            pair = serving.answers(photos.features), new.answers(photos.features)
            coin = rng.random(len(photos)) < 0.5
            plain.append(pair)
            tossed.append((np.where(coin, *pair), np.where(coin, *pair[::-1])))
        for answers, kept in zip((plain, tossed), verdicts.values(), strict=True):
            kept.append(_compared(world, filed, answers[0], answers[1], draw))
        gained.append(accuracy(new, filed) - accuracy(serving, filed))
    first, second = verdicts
    return [_row(first, verdicts[first], gained, [0.0]), _row(second, verdicts[second], [0.0], [0.0])]


def _equal_heads(store: Store, draw: int) -> tuple[World, Photos, tuple[Layer, Layer]]:
    """What there is, photos that neither head learnt from, and both heads."""
    own, later = store.outdoor(), store.scenes(LATER)
    order, scenes = (np.random.default_rng(draw).permutation(len(each)) for each in (own, later))
    world = World(store.layer, memory_of(store), store.scenes(NEVER))
    one, other = (
        _taught(
            world,
            later.take(scenes[number * TAUGHT[0] :][: TAUGHT[0]]),
            own.take(order[FILED + number * TAUGHT[1] :][: TAUGHT[1]]),
        )
        for number in range(2)
    )
    return world, own.take(order[:FILED]), (one, other)


def _taught(world: World, *photos: Photos) -> Layer:
    lessons = [labels(each.labels, each.features, len(world.root.bias)) for each in photos]
    return fit(world.root, joined(anchors(world.root, world.memory), *lessons), PULL)


def _compared(world: World, filed: Photos, validation: tuple[Ints, Ints], own: tuple[Ints, Ints], seed: int) -> Verdict:
    """The verdict on answers of the serving and the new head to the validation photos and to the filed ones."""
    known = world.validation.labels
    right = validation[0] == known, validation[1] == known
    asked = ask(own[0], own[1], filed.labels, seed)
    return judge(duel(*right), of_each_class(*right, known, len(world.root.bias)), asked)


def _row(told: str, verdicts: Sequence[Verdict], fitted: Sequence[float], served: Sequence[float]) -> Row:
    kinds = Counter(verdict.kind for verdict in verdicts)
    reasons = Counter(verdict.why for verdict in verdicts if verdict.kind == REFUSED)
    return {
        "labels": told,
        "draws": len(verdicts),
        **{kind: kinds[kind] for kind in (REFUSED, HELPS, OPEN)},
        "refused by": ", ".join(f"{why} {count}" for why, count in sorted(reasons.items())) or None,
        "fitted: mean": round(fmean(fitted), 2),
        "fitted: worst": round(min(fitted), 2),
        "served: mean": round(fmean(served), 2),
        "served: worst": round(min(served), 2),
    }
