"""A model with the decision rules that go with it: a stage takes both at once, so that one model judges a photo."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract.geometry import Geometry
from contract.session import Model


@dataclass(frozen=True, slots=True)
class Rules:
    """Decision rules of one model.

    Attributes:
        labels: the model's, in order.
        thresholds: probability per label; a photo below goes to review.
        give_up_after_s: how long an unreadable photo must stay unchanged before it goes to `_failed`.
        model: SHA-256 of the model file.
        provider: where the model runs.
        dated: whether the layout needs the capture time.
        familiarity_limit: familiarity below which a photo goes to review; None if it goes there for no such reason.
        embeddings: id of the embeddings that the model gives; empty if it gives none.
    """

    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    give_up_after_s: float
    model: str
    provider: str
    dated: bool = False
    familiarity_limit: float | None = None
    embeddings: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model that can classify.

    Attributes:
        model: opened, checked with its golden sample, and warmed.
        rules: its decision rules.
        file: where it was read from.
    """

    model: Model
    rules: Rules
    file: Path = Path()

    @property
    def geometry(self) -> Geometry:
        """How a photo becomes the pixels that the model takes."""
        return self.model.contract.geometry


def rules_of(
    model: Model,
    review_below: str | float,
    *,
    unfamiliar: Literal["review", "file"] = "review",
    give_up_after_s: float = 0.0,
    dated: bool = False,
) -> Rules:
    """Return the decision rules of a model.

    Args:
        model: opened.
        review_below: policy, as for `review_thresholds`.
        unfamiliar: what happens to photos that are unlike those that the model has learnt from, if it can tell.
        give_up_after_s: how long an unreadable photo must stay unchanged before it goes to `_failed`.
        dated: whether the layout needs the capture time.
    """
    labels = model.contract.labels
    thresholds = review_thresholds(review_below, labels, model.contract.thresholds)
    familiarity = model.contract.familiarity
    limit = None if familiarity is None or unfamiliar == "file" else familiarity.threshold
    of = "" if familiarity is None else familiarity.id
    return Rules(labels, thresholds, give_up_after_s, model.sha256, model.provider, dated, limit, of)


def review_thresholds(policy: str | float, labels: tuple[str, ...], stored: Mapping[str, float]) -> dict[str, float]:
    """Return, per label, the probability below which a photo goes to review.

    Args:
        policy: `off`, `auto` (the model's own thresholds, from its validation photos), or one probability for all.
        labels: the model's.
        stored: the thresholds of its contract.
    """
    if policy == "off":
        return dict.fromkeys(labels, 0.0)
    if policy == "auto":
        return {label: stored.get(label, 0.0) for label in labels}
    return dict.fromkeys(labels, float(policy))
