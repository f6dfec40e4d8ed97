"""Say before a training how long it takes: what each stage does, divided by speeds that were measured elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.fit.epoch import HEAD
from training.fit.stage import stages_of, with_least_steps
from training.on_features.sides import LEAST_PHOTOS, TUNING_FOLDS
from training.recipe.backbones import BACKBONES
from training.recipe.learning import FineTune
from training.recipe.recipe import Recipe

_FEW_S = 10.0
_LAYERS_A_BLOCK = 10  # about: 9 in MobileNetV2 and Xception, 11 in ResNet50
_BUILD_S = 10.0  # to build the networks of one fine-tuning
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
    """Photos of each side."""

    train: int
    val: int
    test: int = 0

    @property
    def all(self) -> int:
        """The photos of all sides."""
        return self.train + self.val + self.test


@dataclass(frozen=True)
class Speeds:
    """Photos a second. The defaults are those of one core, MobileNetV2 and 160 px (docs/measurements.md).

    Attributes:
        features: through the backbone by ONNX Runtime.
        regression: training photos of which a head on features chooses its penalty and learns.
        tail: training steps of the last blocks on the frozen trunk.
        answer: through the whole network by Keras.
        head: training steps with a frozen backbone.
        tune: training steps of the whole network.
    """

    features: float = 225.0
    regression: float = 400.0
    tail: float = 215.0
    answer: float = 121.0
    head: float = 139.0
    tune: float = 27.0


def guessed(recipe: Recipe, cores: int) -> Speeds:
    """Speeds of this machine: regression and tail take one core, everything else takes all."""
    one, cost = Speeds(), _COST[recipe.backbone]
    whole, tuned = ((px / _REFERENCE_PX) ** 2 * cost for px in (recipe.input.size_px, recipe.training_px))
    return Speeds(
        features=one.features * cores / whole,
        tail=one.tail / tuned,
        answer=one.answer * cores / whole,
        head=one.head * cores / tuned,
        tune=one.tune * cores / tuned,
    )


def planned(recipe: Recipe, counts: Counts, speeds: Speeds) -> list[Work]:
    """The stages of a recipe that Keras trains epoch by epoch; early stopping may shorten them."""
    work = list[Work]()
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


def planned_on_features(recipe: Recipe, counts: Counts, speeds: Speeds) -> list[Work]:
    """The stages of a recipe whose head is a regression on broad features, if fine-tuning turns out to help."""
    work = [
        Work("features", counts.all / speeds.features),
        Work("regression", counts.train / speeds.regression),
    ]
    if not recipe.fine_tune.epochs or counts.train + counts.val < LEAST_PHOTOS:
        return work
    epochs = with_least_steps(recipe, counts.train).fine_tune.epochs
    times = 1 if counts.val else TUNING_FOLDS + 1  # without validation photos, each fold is tuned too
    tuning_s = times * (_BUILD_S + epochs * (counts.train / speeds.tail + counts.val / speeds.answer))
    described = counts.all + (times - 1) * counts.train
    return [
        *work,
        Work("fine-tuning", tuning_s),
        Work("its features and regression", described / speeds.answer + counts.train / speeds.regression),
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
