"""What a way of training gets, and what it hands on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.dataset.prepare import PreparedData
from training.measure.results import RunMeasurement
from training.progress import Reporter
from training.recipe.recipe import Recipe
from training.resume.checkpoint import CheckpointHeader
from training.resume.timer import Timer


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        output: its run folder.
        kept: header of the checkpoint to resume from; None from the beginning.
    """

    prepared: PreparedData
    output: Path
    recipe: Recipe
    kept: CheckpointHeader | None
    timer: Timer
    reporter: Reporter


@dataclass(frozen=True)
class Learnt:
    """A trained network that lies in the run folder.

    Attributes:
        measured: its calibration and figures.
        origin: source of the initial weights.
        interrupted: whether Ctrl-C stopped it early.
        resumed_after: the epochs after which it resumed.
        facts: further entries of run.json.
    """

    measured: RunMeasurement
    origin: Mapping[str, str]
    interrupted: bool
    resumed_after: tuple[int, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
