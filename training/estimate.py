"""Say before a training how long it takes: what each stage does, divided by speeds, measured where that is quick."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contract.geometry import Geometry
from training.dataset.cache import decode_all
from training.fit.epoch import HEAD
from training.fit.stage import stages_of
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import FineTune, Recipe

PROBED = 16
_FEW_S = 10.0
_LAYERS_A_BLOCK = 10  # about: 9 in MobileNetV2 and Xception, 11 in ResNet50
_REFERENCE_PX = 160  # side at which the default speeds were measured; work grows with the square of the side
_COST = {"MobileNetV2": 1.0, "EfficientNetB0": 1.3, "ResNet50": 5.2, "ResNet101": 9.5, "Xception": 6.7, "VGG16": 17.0,
         "InceptionResNetV2": 7.2}  # fmt: skip
"""Time of one photo in multiples of MobileNetV2's; all from docs/measurements.md."""


@dataclass(frozen=True)
class Work:
    """One stage and how long it will take."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Counts:
    """Photos of each side, and how many the cache lacks, those of a second size counted again."""

    train: int
    val: int
    test: int = 0
    undecoded: int = 0

    @property
    def all(self) -> int:
        """The photos of all sides."""
        return self.train + self.val + self.test


@dataclass(frozen=True)
class Speeds:
    """Photos a second. The defaults are those of one core, MobileNetV2 and 160 px (docs/measurements.md).

    Attributes:
        decode: from a file to pixels.
        features: through the backbone by ONNX Runtime.
        answer: through the whole network by Keras.
        head: training steps with a frozen backbone.
        tune: training steps of the whole network.
    """

    decode: float = 390.0
    features: float = 225.0
    answer: float = 121.0
    head: float = 139.0
    tune: float = 27.0


def guessed(recipe: Recipe, cores: int, network_cores: int) -> Speeds:
    """Speeds of this machine before anything is measured.

    Args:
        cores: that decode, and compute features by ONNX Runtime.
        network_cores: that Keras uses.
    """
    one, cost = Speeds(), _COST[recipe.backbone]
    whole, tuned = ((px / _REFERENCE_PX) ** 2 * cost for px in (recipe.input.size_px, recipe.training_px))
    return Speeds(
        decode=one.decode * cores,
        features=one.features * cores / whole,
        answer=one.answer * network_cores / whole,
        head=one.head * network_cores / tuned,
        tune=one.tune * network_cores / tuned,
    )


def planned(recipe: Recipe, counts: Counts, speeds: Speeds) -> list[Work]:
    """The stages of a recipe that Keras trains epoch by epoch; early stopping may shorten them."""
    work = [Work("decoding", counts.undecoded / speeds.decode)]
    if recipe.head.on == "features" and recipe.head.epochs:
        work.append(Work("features", (counts.train + counts.val) / speeds.answer))
    for stage in stages_of(recipe):
        name = "head" if stage.name == HEAD else "fine-tuning"
        share = _learning_share(recipe.backbone, stage.settings)
        step_s = (1 - share) / speeds.head + share / speeds.tune
        work.append(Work(name, stage.settings.epochs * (counts.train * step_s + counts.val / speeds.answer)))
    measured = counts.all if recipe.results.train_figures else counts.val + counts.test
    return [*work, Work("measuring", measured / speeds.answer)]


def _learning_share(backbone: str, settings: FineTune) -> float:
    """About how much of the backbone learns, 0 to 1: its gradients end where it is frozen."""
    if settings.unfreeze == "all":
        return 1.0
    blocks = settings.blocks or int(settings.unfreeze) / _LAYERS_A_BLOCK
    return min(1.0, blocks / BACKBONES[backbone].blocks)


def planned_on_features(counts: Counts, speeds: Speeds, tuned: int) -> list[Work]:
    """The stages of a recipe whose head is a regression on broad features; the regression itself takes seconds.

    Args:
        tuned: photos that fine-tuning sees, steps times batch; 0 if there is none.
    """
    return [
        Work("decoding", counts.undecoded / speeds.decode),
        Work("features", counts.all / speeds.features),
        Work("fine-tuning", tuned / speeds.tune),
        Work("features of the tuned network", counts.all / speeds.answer if tuned else 0.0),
    ]


def sentence(work: Sequence[Work], at_most: bool = False) -> str:
    """The expected time in words, with that of each stage that takes seconds.

    Args:
        at_most: whether early stopping may shorten it.
    """
    total = sum(stage.seconds for stage in work)
    if total < _FEW_S:
        return "This takes a few seconds."
    parts = [f"{stage.name} {_rough(stage.seconds)}" for stage in work if stage.seconds >= _FEW_S / 4]
    return f"This takes {'at most ' if at_most else ''}about {_rough(total)} ({', '.join(parts)})."


def _rough(seconds: float) -> str:
    """Seconds in words, rounded as an estimate deserves: `20 s`, `4 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 1800) / 2:g} h"


def probe_decoding(
    paths: Sequence[Path], geometry: Geometry, speeds: Speeds, clock: Callable[[], float] = time.monotonic
) -> tuple[float, Speeds]:
    """Decode a few photos, spread over all; they stay in the cache.

    Returns:
        The share of photos that the cache lacks, 0 to 1, and `speeds` with that of decoding if any was decoded.

    Raises:
        TrainingError: the cache cannot be written.
    """
    chosen = paths[:: max(1, len(paths) // PROBED)][:PROBED]
    started = clock()
    fresh = decode_all(chosen, geometry).fresh
    measured = replace(speeds, decode=fresh / max(clock() - started, 1e-6)) if fresh else speeds
    return fresh / max(1, len(chosen)), measured


def probe_network(step: Callable[[], object], photos: int, clock: Callable[[], float] = time.monotonic) -> float:
    """Photos a second of a step that takes `photos`. It runs twice, because the first call builds the graph."""
    step()
    started = clock()
    step()
    return photos / max(clock() - started, 1e-6)
