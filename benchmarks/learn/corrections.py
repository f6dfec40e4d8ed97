"""Corrections of a simulated owner: what they bring, at worst too, and what the gate says."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np

from benchmarks.common import tell
from benchmarks.learn.features import NEVER, TEST, TRAIN, Store
from benchmarks.learn.owner import FILED, NOTHING, Inbox, World, corrects, learn_and_judge, remembered
from benchmarks.learn.photos import Photos
from benchmarks.learn.questions import ask
from benchmarks.told import Row, Told
from learn.fitting.gate import HELPS, LEVEL, OPEN, REFUSED
from learn.fitting.layer import Floats, Layer, Marks
from learn.fitting.trial import PULL

CORRECTED: dict[str, int | None] = {"3": 3, "12": 12, "all": None}
OUTDOOR, SCENES = "outdoor", "scenes"
MEANING = (
    "What comes to serve, against the root, on photos that were not filed: the least of the means and the worst draw of"
    " all, in points of accuracy."
)


@dataclass(frozen=True)
class Draw:
    """One owner.

    Attributes:
        corrected: number of corrections.
        fitted, served: points of accuracy won on other photos of the same camera, as fitted and after the gate.
        advised: as `served`, but where help is open, only heads to which the questions lean.
        scenes: points won by what is served on the scene test photos.
        kind, why: verdict of the gate.
        held_back: whether the pull was raised.
        asked: number of questions.
        unfair: the verdict of questions about the photos that were not corrected, which are right by selection.
        flattered: the verdict of questions about a head that has learnt from the photos it is asked about.
    """

    corrected: int
    fitted: float
    served: float
    advised: float
    scenes: float
    kind: str
    why: str
    held_back: bool
    asked: int
    unfair: str
    flattered: str


def measured(store: Store, inboxes: Sequence[str], seeds: int) -> Told:
    """Measure owners of each kind, with 3, 12 and all mistakes corrected."""
    rows: list[Row] = []
    for name in inboxes:
        for told, count in CORRECTED.items():
            draws = []
            for seed in range(seeds):
                tell(f"{name}, {told} corrected, draw {seed + 1} of {seeds}")
                draws.append(_draw(store, name, count, seed))
            rows.append(_row(name, told, draws))
    least = min(row["served: mean"] for row in rows)
    worst = min(row["served: worst"] for row in rows)
    return Told(rows, {"least mean": least, "worst": worst}, MEANING)


def accuracy(head: Layer, photos: Photos) -> float:
    """Share of right answers, in points."""
    return 100 * float((head.answers(photos.features) == photos.labels).mean())


def owners_world(store: Store, inbox: str, seed: int) -> tuple[World, Photos, Photos]:
    """What there is beside the owner, the owner's filed photos, and those on which the head is measured.

    The owner of `outdoor` has another camera. The owner of `scenes` files photos that no head was fitted on, so that
    the gate has fewer of them, and is measured on the test photos.
    """
    memory, never = memory_of(store), store.scenes(NEVER)
    own = store.outdoor() if inbox == OUTDOOR else never
    order = np.random.default_rng(seed).permutation(len(own))
    filed, rest = own.take(order[:FILED]), own.take(order[FILED:])
    if inbox == OUTDOOR:
        return World(store.layer, memory, never), filed, rest
    return World(store.layer, memory, rest), filed, store.scenes(TEST)


@cache
def memory_of(store: Store) -> Floats:
    """What the model remembers."""
    return remembered(store.layer, store.scenes(TRAIN))


def _draw(store: Store, name: str, count: int | None, seed: int) -> Draw:
    world, filed, rest = owners_world(store, name, seed)
    inbox = corrects(world.root, filed, count, seed)
    learnt = learn_and_judge(world, inbox, seed)
    test = store.scenes(TEST)
    served = accuracy(learnt.served, rest) - accuracy(world.root, rest)
    return Draw(
        int((inbox.said != NOTHING).sum()),
        accuracy(learnt.head, rest) - accuracy(world.root, rest),
        served,
        0.0 if learnt.verdict.kind == OPEN and not learnt.asked.leans else served,
        accuracy(learnt.served, test) - accuracy(world.root, test),
        learnt.verdict.kind,
        learnt.verdict.why,
        learnt.pull > PULL,
        learnt.asked.photos,
        _asked_of(world, inbox, learnt.head, inbox.said == NOTHING, seed),
        _asked_of(world, inbox, learnt.head, np.ones(len(filed), bool), seed),
    )


def _asked_of(world: World, inbox: Inbox, head: Layer, some: Marks, seed: int) -> str:
    """The verdict of questions about some photos, of which the head has learnt."""
    photos = inbox.filed.take(np.flatnonzero(some))
    found = ask(world.root.answers(photos.features), head.answers(photos.features), photos.labels, seed)
    return REFUSED if found.harm < LEVEL else HELPS if found.help < LEVEL else OPEN


def _row(name: str, told: str, draws: Sequence[Draw]) -> Row:
    kinds = Counter(draw.kind for draw in draws)
    return {
        "inbox": name,
        "corrected": told if told.isdigit() else f"{told} ({fmean(draw.corrected for draw in draws):.0f})",
        "draws": len(draws),
        "fitted: mean": _points([draw.fitted for draw in draws]),
        "fitted: worst": round(min(draw.fitted for draw in draws), 2),
        "served: mean": _points([draw.served for draw in draws]),
        "served: worst": round(min(draw.served for draw in draws), 2),
        "advised: mean": _points([draw.advised for draw in draws]),
        "advised: worst": round(min(draw.advised for draw in draws), 2),
        "scenes test: mean": _points([draw.scenes for draw in draws]),
        "scenes test: worst": round(min(draw.scenes for draw in draws), 2),
        **{kind: kinds[kind] for kind in (REFUSED, HELPS, OPEN)},
        "refused by": ", ".join(sorted({draw.why for draw in draws if draw.kind == REFUSED})) or None,
        "held back": sum(draw.held_back for draw in draws),
        "questions": round(fmean(draw.asked for draw in draws), 1),
        "refused, asked of uncorrected": sum(draw.unfair == REFUSED for draw in draws),
        "help, asked of learnt": sum(draw.flattered == HELPS for draw in draws),
    }


def _points(values: Sequence[float]) -> float:
    return round(fmean(values), 2)
