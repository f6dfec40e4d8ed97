"""What a way of training hands on to the end of a training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.measure.results import RunMeasurement


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
