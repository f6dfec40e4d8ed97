"""What settings a recipe may hold: the range of each number, and which of them contradict each other."""

from typing import TYPE_CHECKING

from training.errors import RecipeError
from training.fit import augment
from training.recipe.backbones import check_backbone
from training.recipe.settings import check_ranges

if TYPE_CHECKING:
    from training.recipe.recipe import Recipe

_STAGE: dict[str, tuple[float, float]] = {
    "epochs": (0, 10_000),
    "batch_size": (1, 65_536),
    "learning_rate": (1e-8, 10.0),
    "weight_decay": (0.0, 10.0),
    "warmup": (0.0, 0.9),
    "plateau_patience": (1, 10_000),
    "plateau_factor": (0.01, 0.99),
    "patience": (0, 10_000),
}

RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "validation": (0.01, 0.9),
    "precision": (0.0, 1.0),
    "input.size_px": (32, 1024),
    "network.hidden": (1, 65_536),
    "network.dropout": (0.0, 0.95),
    "network.l2": (0.0, 10.0),
    "head.least_steps": (1, 1_000_000),
    **{f"head.{key}": limits for key, limits in _STAGE.items()},
    **{f"fine_tune.{key}": limits for key, limits in _STAGE.items()},
    "fine_tune.scale": (0.25, 1.0),
    "fine_tune.label_smoothing": (0.0, 0.9),
    "fine_tune.batch_norm_momentum": (0.0, 0.9999),
    "fine_tune.averaging": (0.0, 0.99999),
    **{f"augmentation.{key}": limits for key, limits in augment.RANGES.items()},
}


def check(recipe: "Recipe") -> None:
    """Raise RecipeError for the first setting that is out of range, or contradicts another."""
    check_ranges(recipe, RANGES)
    unfreeze = recipe.fine_tune.unfreeze
    if unfreeze != "all" and not recipe.fine_tune.blocks and (isinstance(unfreeze, str) or unfreeze < 0):
        raise RecipeError(
            f"The setting fine_tune.unfreeze is {unfreeze!r}; pass a number of layers, a number of blocks such as"
            " '3 blocks', or 'all'."
        )
    check_backbone(recipe.backbone, min(recipe.input.size_px, recipe.training_px), recipe.fine_tune.blocks)
    if not recipe.head.epochs and not recipe.fine_tune.epochs:
        raise RecipeError("The settings head.epochs and fine_tune.epochs are both 0: nothing would learn. Raise one.")
    for name, stage in (("head", recipe.head), ("fine_tune", recipe.fine_tune)):
        if stage.epochs and stage.weight_decay and stage.optimizer != "adamw":
            raise RecipeError(
                f"The setting {name}.weight_decay is {stage.weight_decay:g}, which {stage.optimizer} does not do:"
                f" set it to 0, or {name}.optimizer to adamw."
            )
