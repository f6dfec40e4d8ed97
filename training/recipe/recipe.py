"""The recipe: all settings of a training run, from a TOML file and from options, checked, and saved with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from contract.geometry import Mode
from training.errors import RecipeError
from training.recipe.augmentation import Augmentation
from training.recipe.backbones import check_backbone
from training.recipe.learning import FineTune, Head
from training.recipe.pseudo import PseudoLabels
from training.recipe.ranges import RANGES
from training.recipe.settings import check_ranges, flatten, replace_settings, toml_literal

Backbone = Literal["MobileNetV2", "EfficientNetB0", "VGG16", "ResNet50", "ResNet101", "Xception", "InceptionResNetV2"]
Weights = Literal["broad", "imagenet", "none"]
Scaling = Literal["backbone", "unit"]
Monitor = Literal["accuracy", "loss"]

SHOWN = 5  # classes named in a sentence


@dataclass(frozen=True)
class Input:
    """How a photo becomes the network's input (see contract.geometry); docs/measurements.md says why 160 px.

    Attributes:
        scaling: `backbone` scales pixels as the weights of the backbone require; `unit` always scales to 0..1.
    """

    geometry: Mode = "stretch"
    size_px: int = 160
    scaling: Scaling = "backbone"


@dataclass(frozen=True)
class Network:
    """The layers on the pooled features of the backbone.

    Attributes:
        hidden: units of fully connected ReLU layers before the last one.
        dropout: before the last layer.
        batch_norm: normalise before each hidden layer's ReLU, or before the last layer where there is none hidden.
        l2: weight of the kernels' squares in the loss, for hidden and last layer.
        sigmoid: one unit for two classes, and binary cross-entropy.
    """

    hidden: tuple[int, ...] = ()
    dropout: float = 0.2
    batch_norm: bool = False
    l2: float = 0.0
    sigmoid: bool = False

    @property
    def linear(self) -> bool:
        return not (self.hidden or self.batch_norm or self.sigmoid)


@dataclass(frozen=True)
class Results:
    """Optional results of a run.

    Attributes:
        train_figures: measure the photos trained on too.
        sort_test: put the test photos into a folder per predicted class.
        picture_grid: draw photos with what was predicted for them.
    """

    train_figures: bool = False
    sort_test: bool = False
    picture_grid: bool = False


@dataclass(frozen=True)
class Recipe:
    """All settings of one run; see docs/training.md.

    Attributes:
        weights: `broad` begins with the broad network that ships, or with ImageNet's weights where the backbone is
            another one.
        validation: share of each class that is held out, if the dataset has no validation folder.
        precision: target precision of the review threshold of each class, on the validation photos.
        monitor: the figure of the validation photos by which an epoch is better than another: the highest `accuracy` or
            the lowest `loss`. It chooses the epoch that is kept, over all stages, and `patience` waits for it.
    """

    seed: int = 0
    backbone: Backbone = "MobileNetV2"
    weights: Weights = "broad"
    validation: float = 0.2
    precision: float = 0.95
    monitor: Monitor = "accuracy"
    input: Input = field(default_factory=Input)
    network: Network = field(default_factory=Network)
    head: Head = field(default_factory=Head)
    fine_tune: FineTune = field(default_factory=FineTune)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(crop=0.6, aspect=0.15, shift=0.03, rotation_deg=8.0, flip=True)
    )
    pseudo_labels: PseudoLabels = field(default_factory=PseudoLabels)
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        check_recipe(self)

    @property
    def on_features(self) -> bool:
        """Whether a linear layer on features is trained, and at most the last blocks of the broad network."""
        few = self.network.linear and (not self.fine_tune.epochs or self.fine_tune.blocks is not None)
        broad = self.weights == "broad" and self.backbone == "MobileNetV2" and self.input.scaling == "backbone"
        return broad and few and self.head.on == "features" and self.head.epochs > 0

    @property
    def learns_from_photos(self) -> bool:
        """Whether a stage trains on photos. A head on features does not."""
        return self.fine_tune.epochs > 0 or (self.head.epochs > 0 and self.head.on == "photos")

    @property
    def training_px(self) -> int:
        """Side of the training photos."""
        if self.fine_tune.scale == 1.0 or not self.learns_from_photos:
            return self.input.size_px
        return max(32, 32 * int(self.fine_tune.scale * self.input.size_px / 32 + 0.5))

    def check_classes(self, labels: Sequence[str]) -> None:
        """Raise RecipeError if the network does not fit these classes."""
        if self.network.sigmoid and len(labels) != 2:
            raise RecipeError(
                f"The setting network.sigmoid needs two classes, but these photos have {len(labels)}"
                f" ({', '.join(labels[:SHOWN])}{', ...' if len(labels) > SHOWN else ''}). Set it to false."
            )

    def to_toml(self) -> str:
        """The recipe as a TOML file with every setting."""
        plain = asdict(self)
        lines = [f"{key} = {toml_literal(value)}" for key, value in plain.items() if not isinstance(value, dict)]
        for section, values in plain.items():
            if isinstance(values, dict):
                lines += ["", f"[{section}]", *(f"{key} = {toml_literal(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"

    def with_options(self, options: Mapping[str, Any]) -> "Recipe":
        """The recipe with some settings replaced. Keys are like `seed` or `fine_tune.epochs`; None keeps a setting."""
        recipe: Recipe = replace_settings(self, {key: value for key, value in options.items() if value is not None})
        return recipe


def recipe_of(table: dict[str, Any]) -> Recipe:
    """Make a recipe from nested plain values.

    Raises:
        RecipeError: a key is unknown, or a value is of another type or out of range.
    """
    return Recipe().with_options(flatten(table))


def check_recipe(recipe: "Recipe") -> None:
    """Raise RecipeError for the first setting that is out of range, or contradicts another."""
    check_ranges(recipe, RANGES)
    unfreeze = recipe.fine_tune.unfreeze
    if unfreeze != "all" and not recipe.fine_tune.blocks and (isinstance(unfreeze, str) or unfreeze < 0):
        raise RecipeError(
            f"The setting fine_tune.unfreeze is {unfreeze!r}. Pass a number of layers, a number of blocks such as"
            " '3 blocks', or 'all'."
        )
    check_backbone(recipe.backbone, min(recipe.input.size_px, recipe.training_px), recipe.fine_tune.blocks)
    if not recipe.head.epochs and not recipe.fine_tune.epochs:
        raise RecipeError("The settings head.epochs and fine_tune.epochs are 0, so nothing would learn. Raise one.")
    for name, stage in (("head", recipe.head), ("fine_tune", recipe.fine_tune)):
        if stage.epochs and stage.weight_decay and stage.optimizer != "adamw":
            raise RecipeError(
                f"The setting {name}.weight_decay is {stage.weight_decay:g}, but {stage.optimizer} has no weight decay."
                f" Set it to 0, or set {name}.optimizer to adamw."
            )
    if recipe.pseudo_labels.rounds and not (recipe.on_features and not recipe.fine_tune.epochs):
        raise RecipeError(
            f"The setting pseudo_labels.rounds is {recipe.pseudo_labels.rounds}, but only a linear head on the broad"
            " network's features learns from pseudo-labels, without fine-tuning. Set it to 0, or begin with the recipe"
            " pseudo-labels."
        )
