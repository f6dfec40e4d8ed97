"""A recipe: every setting of a training run, from a TOML file and from options, checked, and saved with the run."""

import tomllib
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from contract.geometry import Mode
from training.augment import Augmentation
from training.errors import RecipeError

Weights = Literal["imagenet", "none"]
BatchNorm = Literal["train", "frozen"]


@dataclass(frozen=True)
class Input:
    """How a photo becomes the network's input (see contract.geometry); docs/training.md says why 192 px."""

    geometry: Mode = "stretch"
    size_px: int = 192


@dataclass(frozen=True)
class Head:
    """The linear head, trained on features of the network as it starts, which are computed once.

    epochs: passes over the features; the best one by validation is kept.
    least_steps: with few photos there are more passes, until there were this many steps.
    """

    epochs: int = 20
    least_steps: int = 300
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05


@dataclass(frozen=True)
class FineTune:
    """The network itself.

    unfreeze: how many layers from the end are trained, or `all`. epochs: 0 keeps the head stage's model.
    scale: side of the photos trained on, as a share of the input's, to the nearest 32 px. Crops make things look larger
        in training than in use; the larger input makes up for that, and training costs less.
        Source: Touvron et al., "Fixing the train-test resolution discrepancy", 2019.
    warmup: share of the steps in which the rate rises to `learning_rate`; then it falls along a cosine to zero.
    batch_norm: `train` lets batch normalisation learn the statistics of these photos; `frozen` keeps ImageNet's.
    batch_norm_momentum: how slowly its moving statistics follow. Keras's 0.999 lags behind a short training.
    averaging: share of the averaged weights that each step keeps, 0 = no averaging; what is validated and kept.
    patience: epochs without a better validation loss after which training stops, 0 = never.
    """

    unfreeze: int | Literal["all"] = "all"
    epochs: int = 4
    scale: float = 5 / 6
    batch_size: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    warmup: float = 0.1
    label_smoothing: float = 0.1
    dropout: float = 0.2
    batch_norm: BatchNorm = "train"
    batch_norm_momentum: float = 0.98
    averaging: float = 0.998
    patience: int = 0


@dataclass(frozen=True)
class Recipe:
    """All settings of one run; see docs/training.md.

    validation: share of each class that is held out, where the dataset has no validation folder of its own.
    precision: what the per-class review thresholds aim at, on the validation photos.
    """

    seed: int = 0
    weights: Weights = "imagenet"
    validation: float = 0.2
    precision: float = 0.95
    input: Input = field(default_factory=Input)
    head: Head = field(default_factory=Head)
    fine_tune: FineTune = field(default_factory=FineTune)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(crop=0.6, aspect=0.15, shift=0.03, rotation_deg=8.0, flip=True)
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def training_px(self) -> int:
        """Side of the photos that fine-tuning sees."""
        if self.fine_tune.scale == 1.0:
            return self.input.size_px
        return max(32, 32 * int(self.fine_tune.scale * self.input.size_px / 32 + 0.5))

    def to_toml(self) -> str:
        """The recipe as a TOML file, every setting spelled out."""
        plain = asdict(self)
        lines = [f"{key} = {_literal(value)}" for key, value in plain.items() if not isinstance(value, dict)]
        for section, values in plain.items():
            if isinstance(values, dict):
                lines += ["", f"[{section}]", *(f"{key} = {_literal(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"

    def with_options(self, options: dict[str, Any]) -> "Recipe":
        """The recipe with some settings replaced; keys are `seed` or `fine_tune.epochs`, None leaves one as it is."""
        recipe = self
        for key, value in options.items():
            if value is not None:
                recipe = _with(recipe, key, value)
        return recipe


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. What it leaves out keeps its default.

    Raises:
        RecipeError: the file cannot be read, is no TOML, or holds a key that is unknown or a value out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}") from error
    try:
        return recipe_of(table)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def recipe_of(table: dict[str, Any]) -> Recipe:
    """Make a recipe from nested plain values; raises RecipeError as `load_recipe` does."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{inner}": setting for inner, setting in value.items()}
        else:
            flat[key] = value
    return Recipe().with_options(flat)


def _with(recipe: Recipe, key: str, value: Any) -> Recipe:
    section, _, name = key.rpartition(".")
    part = getattr(recipe, section, None) if section else recipe
    if not is_dataclass(part) or isinstance(part, type) or key not in _known():
        raise RecipeError(f"The setting {key!r} does not exist. Known are: {', '.join(_known())}.")
    kind = next(item.type for item in fields(part) if item.name == name)
    changed: Any = replace(part, **{name: _typed(key, value, kind)})
    whole: dict[str, Any] = {section: changed}
    return replace(recipe, **whole) if section else changed


def _known() -> list[str]:
    names = []
    for item in fields(Recipe):
        value = getattr(Recipe(), item.name)
        inner = [f"{item.name}.{part.name}" for part in fields(value)] if is_dataclass(value) else [item.name]
        names += inner
    return names


def _typed(key: str, value: Any, kind: Any) -> Any:
    """Return the value in the type of its setting, or refuse it. A whole number may stand for a fraction."""
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if kind in (int, float, bool) and type(value) is kind:
        return value
    if key == "fine_tune.unfreeze" and (type(value) is int or value == "all"):
        return value
    shown = " or ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else getattr(kind, "__name__", kind)
    raise RecipeError(f"The setting {key} is {value!r}; pass {shown}.")


_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "validation": (0.01, 0.9),
    "precision": (0.0, 1.0),
    "input.size_px": (32, 1024),
    "head.epochs": (1, 10_000),
    "head.least_steps": (1, 1_000_000),
    "head.batch_size": (1, 65_536),
    "head.learning_rate": (1e-8, 10.0),
    "head.weight_decay": (0.0, 10.0),
    "fine_tune.epochs": (0, 10_000),
    "fine_tune.scale": (0.25, 1.0),
    "fine_tune.batch_size": (1, 65_536),
    "fine_tune.learning_rate": (1e-8, 10.0),
    "fine_tune.weight_decay": (0.0, 10.0),
    "fine_tune.warmup": (0.0, 0.9),
    "fine_tune.label_smoothing": (0.0, 0.9),
    "fine_tune.dropout": (0.0, 0.95),
    "fine_tune.batch_norm_momentum": (0.0, 0.9999),
    "fine_tune.averaging": (0.0, 0.99999),
    "fine_tune.patience": (0, 10_000),
    "augmentation.crop": (0.1, 1.0),
    "augmentation.aspect": (0.0, 1.0),
    "augmentation.shift": (0.0, 0.5),
    "augmentation.rotation_deg": (0.0, 180.0),
    "augmentation.shear_deg": (0.0, 60.0),
}


def check(recipe: Recipe) -> None:
    """Raise RecipeError for the first setting that is out of range."""
    for key, (least, most) in _RANGES.items():
        section, _, name = key.rpartition(".")
        value = getattr(getattr(recipe, section) if section else recipe, name)
        if not least <= value <= most:
            raise RecipeError(f"The setting {key} is {value:g}, and must be from {least:g} to {most:g}.")
    unfreeze = recipe.fine_tune.unfreeze
    if unfreeze != "all" and unfreeze < 1:
        raise RecipeError(
            f"The setting fine_tune.unfreeze is {unfreeze}; pass a number of layers, 1 or more, or 'all'."
        )


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
