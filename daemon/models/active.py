"""Which model is in use now: asked once for each photo, so that one model alone classifies the photo."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from contract.session import Model
from daemon.classify.decide import review_thresholds
from daemon.filing.layout import Layout
from daemon.photo import Photo, Rules
from daemon.settings import Settings


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


class ActiveModel:
    """Holds the model in use. A stage asks for it once per call, and any thread may replace it.

    Attributes:
        current: the model for all photos that are decoded from now on.
    """

    def __init__(self, current: LoadedModel) -> None:
        self.current = current


def rules_for(settings: Settings, model: Model) -> Rules:
    """Return the decision rules of a model under these settings."""
    labels = model.contract.labels
    return Rules(
        labels=labels,
        thresholds=review_thresholds(settings.review_below, labels, model.contract.thresholds),
        give_up_after_s=settings.give_up_after,
        model=model.sha256,
        provider=model.provider,
        dated=Layout(settings.layout).needs_date,
    )


def stamp(photo: Photo, serving: LoadedModel) -> None:
    """Note on a photo which model classifies it, before it is decoded for that model's geometry."""
    photo.model, photo.rules, photo.dated = serving.model, serving.rules, serving.rules.dated


def by_model(photos: Iterable[Photo]) -> list[tuple[Model, list[Photo]]]:
    """Split a batch by the models that its photos were decoded for; only during a swap there are two."""
    known = [(photo.model, photo) for photo in photos if photo.model is not None and photo.pixels is not None]
    if len(known) == 1:
        return [(known[0][0], [known[0][1]])]
    groups = groupby(sorted(known, key=lambda pair: id(pair[0])), key=lambda pair: id(pair[0]))
    return [(some[0][0], [photo for _, photo in some]) for some in (list(group) for _, group in groups)]
