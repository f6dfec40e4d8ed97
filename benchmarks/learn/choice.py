"""What the settings were chosen by: owners whose cameras are made from validation photos, and an unchanged one."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.common import tell
from benchmarks.learn.cameras import CAMERAS
from benchmarks.learn.corrections import CORRECTED, accuracy, memory_of
from benchmarks.learn.features import LATER, NEVER, TRAIN, Store
from benchmarks.learn.owner import FILED, NOTHING, REMEMBERED, World, corrects, lessons_of, weight_of
from benchmarks.learn.photos import Photos
from benchmarks.told import Row, Told
from learn.fitting.head import fit
from learn.fitting.layer import Floats
from learn.fitting.trial import PULL

UNCHANGED = "own"
MEANING = (
    "Points of accuracy won on photos of the same camera that were not filed, the mean and the worst of the draws, with"
    " 3, 12 and all mistakes corrected; the figures are those of the chosen setting."
)


@dataclass(frozen=True)
class Setting:
    """A way to learn.

    Attributes:
        memory: remembered photos, float32 [N, F].
        weight: of each label, by their number.
        pull: to the root.
        anchored: whether filed photos of which nothing was said are anchors.
    """

    memory: Floats
    weight: Callable[[int], float] = weight_of
    pull: float = PULL
    anchored: bool = True


def measured(store: Store, draws: int) -> Told:
    """Measure each setting."""
    rows = []
    for told, setting in _settings(store).items():
        for camera in (*CAMERAS, UNCHANGED):
            tell(f"{told}, {camera}")
            rows.append({"setting": told, "camera": camera} | _cells(store, setting, camera, draws))
    chosen = rows[: len(CAMERAS) + 1]
    figures = {
        f"{told} corrected": round(fmean(float(row[f"{told}: mean"]) for row in chosen), 2) for told in CORRECTED
    }
    return Told(rows, figures, MEANING)


def _settings(store: Store) -> dict[str, Setting]:
    memory = memory_of(store)
    train = store.scenes(TRAIN).features
    drawn = train[np.random.default_rng(0).permutation(len(train))[:REMEMBERED]]
    return {
        "chosen": Setting(memory),
        "pull 0.1": Setting(memory, pull=0.1),
        "pull 10": Setting(memory, pull=10.0),
        "weight 1": Setting(memory, lambda count: 1.0),
        "weight 10": Setting(memory, lambda count: 10.0),
        "memory drawn at random": Setting(drawn),
        "weight 10, no anchors": Setting(memory[:0], lambda count: 10.0, anchored=False),
    }


def _cells(store: Store, setting: Setting, camera: str, draws: int) -> Row:
    photos = store.scenes(NEVER) if camera == UNCHANGED else _never(store, camera)
    world = World(store.layer, setting.memory, photos)
    cells: Row = {}
    for told, count in CORRECTED.items():
        won = [_won(world, setting, count, draw) for draw in range(draws)]
        cells |= {f"{told}: mean": round(fmean(won), 2), f"{told}: worst": round(min(won), 2)}
    return cells


def _never(store: Store, camera: str) -> Photos:
    """Those that no head was fitted on, as the camera took them."""
    return store.camera(camera).take(np.arange(len(store.scenes(LATER)), len(store.camera(camera))))


def _won(world: World, setting: Setting, count: int | None, draw: int) -> float:
    order = np.random.default_rng(draw).permutation(len(world.validation))
    filed, rest = world.validation.take(order[:FILED]), world.validation.take(order[FILED:])
    inbox = corrects(world.root, filed, count, draw)
    if not setting.anchored:
        inbox = inbox.without(inbox.said == NOTHING)
    head = fit(world.root, lessons_of(world, inbox, setting.weight), setting.pull)
    return accuracy(head, rest) - accuracy(world.root, rest)
