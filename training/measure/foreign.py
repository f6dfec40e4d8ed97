"""Both errors of familiarity: photos of the classes that go to review, and foreign pictures that are filed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.labels import OTHER
from training.measure.metrics import Floats, Ints, auc, wilson
from training.measure.open_model import Given

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """`count` of `photos`, which are at least one."""

    count: int
    photos: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.count / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval (Wilson)."""
        return wilson(self.count, self.photos)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"photos": self.photos, "count": self.count, "share": self.share, "interval": list(self.interval)}

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        return f"{100 * self.share:.1f} % ({low:.1f} to {high:.1f})"


def share_of(chosen: Chosen) -> Share:
    """Count what is chosen, bool [N], N > 0."""
    return Share(int(chosen.sum()), len(chosen))


@dataclass(frozen=True)
class Review:
    """Photos of the classes that go to review because they are unlike those that the model has learnt from.

    Attributes:
        threshold: familiarity below which a photo does; None for a model that tells by its class `_other` alone.
        every: all photos.
        classes: by label, those that have photos.
    """

    threshold: float | None
    every: Share
    classes: Mapping[str, Share]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        classes = [{"label": label} | share.to_dict() for label, share in self.classes.items()]
        return {"threshold": self.threshold, **self.every.to_dict(), "classes": classes}

    def sentence(self) -> str:
        """What familiarity costs."""
        return f"{self.every.count:,} of these photos would go to review as unfamiliar: {self.every}."


@dataclass(frozen=True)
class Kind:
    """Foreign pictures of one kind that are filed as a class, by `--review-below off` and `auto`."""

    name: str
    off: Share
    auto: Share

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"filed": {"off": self.off.to_dict(), "auto": self.auto.to_dict()}}


@dataclass(frozen=True)
class Foreign:
    """What becomes of foreign pictures.

    Attributes:
        root: their folder.
        every: all pictures.
        kinds: those that have pictures.
        told: whether the model tells such pictures.
        auroc: how often a photo of the classes is more familiar than a foreign picture; None without familiarity.
        unreadable: (path, reason) of the pictures that are not counted.
    """

    root: Path
    every: Kind
    kinds: tuple[Kind, ...]
    told: bool
    auroc: float | None
    unreadable: tuple[tuple[Path, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "folder": printable(self.root.absolute()),
            "auroc": self.auroc,
            **self.every.to_dict(),
            "kinds": [{"kind": kind.name} | kind.to_dict() for kind in self.kinds],
            "unreadable": [{"path": printable(path), "reason": reason} for path, reason in self.unreadable],
        }

    def sentences(self) -> Iterator[str]:
        """What becomes of all, and how well familiarity ranks."""
        yield (
            f"Of {self.every.off.photos:,} foreign pictures {self.every.off} would be filed as a class; with"
            f" --review-below auto {self.every.auto}."
        )
        if not self.told:
            yield (
                "This model cannot tell that a picture belongs to no class. A model file with familiarity can: train"
                " with the default recipe, convert the run, and measure the file."
            )
        if self.auroc is not None:
            yield f"AUROC of familiarity, classes against foreign pictures: {self.auroc:.4f}."


def unfamiliar(given: Given, labels: Sequence[str], threshold: float | None) -> Chosen | None:
    """Which photos go to review as unfamiliar, [N], compared as the daemon does; None if the model cannot tell.

    Args:
        labels: of the model; what it judges to be of the class `_other` is unfamiliar.
        threshold: of familiarity; None for a model without.
    """
    if OTHER not in labels and (threshold is None or given.familiarity is None):
        return None
    sent = np.zeros(len(given.probabilities), bool)
    if threshold is not None and given.familiarity is not None:
        sent |= given.familiarity.astype(np.float64) < threshold
    if OTHER in labels:
        sent |= given.probabilities.argmax(axis=1) == labels.index(OTHER)
    return sent


def sure(probabilities: Floats, thresholds: Sequence[float]) -> Chosen:
    """Which photos the review thresholds of the classes let pass, [N], compared as the daemon does."""
    given = probabilities.astype(np.float64)
    return np.asarray(given.max(axis=1) >= np.asarray(thresholds)[given.argmax(axis=1)])


def measure_review(sent: Chosen, true: Ints, labels: Sequence[str], threshold: float | None) -> Review:
    """Count the photos of the classes that go to review as unfamiliar.

    Args:
        sent: those photos, [N], N > 0.
        true: class index of each photo, [N].
    """
    places = ((label, true == number) for number, label in enumerate(labels))
    return Review(threshold, share_of(sent), {label: share_of(sent[own]) for label, own in places if own.any()})


def measure_kinds(passed: Chosen, certain: Chosen, kind: Ints, names: Sequence[str]) -> tuple[Kind, tuple[Kind, ...]]:
    """Count the foreign pictures that are filed.

    Args:
        passed: pictures that are not unfamiliar, [N], N > 0.
        certain: pictures that the review thresholds let pass, [N].
        kind: number of each picture's kind, [N].

    Returns:
        All pictures, and the kinds that have some.
    """

    def counted(name: str, own: Chosen) -> Kind:
        return Kind(name, share_of(passed[own]), share_of((passed & certain)[own]))

    places = ((name, kind == number) for number, name in enumerate(names))
    return counted("all", np.ones(len(passed), bool)), tuple(counted(name, own) for name, own in places if own.any())


def ranking(of_classes: Floats, of_foreign: Floats) -> float | None:
    """AUROC of familiarity, float [N] and [M]: a photo of a class should rank above a foreign picture."""
    inside = np.arange(len(of_classes) + len(of_foreign)) < len(of_classes)
    return auc(inside, np.concatenate([of_classes, of_foreign]))
