"""The range of each number of a recipe."""

from training.recipe import augmentation

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
    "fine_tune.least_steps": (0, 1_000_000),
    "fine_tune.scale": (0.25, 1.0),
    "fine_tune.label_smoothing": (0.0, 0.9),
    "fine_tune.batch_norm_momentum": (0.0, 0.9999),
    "fine_tune.averaging": (0.0, 0.99999),
    "pseudo_labels.rounds": (0, 100),
    "pseudo_labels.certainty": (0.0, 1.0),
    "pseudo_labels.share": (0.0, 1.0),
    "pseudo_labels.most": (1, 20_000),
    **{f"augmentation.{key}": limits for key, limits in augmentation.RANGES.items()},
}
