"""The table: what is filed of strangers and of photos of the classes, in each way of deciding."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.common import tell
from benchmarks.foreign.photos import NEAR, Sets, small_copies
from benchmarks.told import Row, Told
from contract.labels import OTHER
from training.dataset.layout import Photo
from training.measure.answered import Answered, answer
from training.measure.foreign import Chosen, ranking, share_of, sure, unfamiliar
from training.measure.open_model import Classifier, Given, open_classifier
from training.progress import Reporter

SMALL_PX = 100
SENT = 0.05
"""Share of the photos of the classes that may go to review in the last columns."""
MEANING = (
    "Share of the judged strangers that are filed as a class, and of what is filed in an inbox of as many strangers as"
    " photos of the classes the share that is right; with `--review-below auto`, at the model's own threshold."
)


@dataclass(frozen=True)
class Way:
    """A way to decide what is filed.

    Attributes:
        labels: of the model.
        threshold: of familiarity; None where the model cannot tell.
        least: probability below which a photo of each class goes to review.
    """

    name: str
    labels: tuple[str, ...]
    threshold: float | None
    least: tuple[float, ...]

    def filed(self, given: Given) -> Chosen:
        """Which photos are filed as a class, [N]."""
        passed = sure(given.probabilities, self.least)
        sent = unfamiliar(given, self.labels, self.threshold)
        return passed if sent is None else passed & ~sent


def measured(model: Path, sets: Sets, place: Path) -> Told:
    """Measure one model.

    Args:
        place: an empty folder, for small copies.

    Raises:
        PhototriageError: the model or a folder of photos cannot be used.
    """
    classifier = open_classifier(model)

    def asked(name: str, photos: Sequence[Photo]) -> Answered:
        tell(name)
        return answer(photos, classifier, Reporter(Console(file=io.StringIO())), place)

    classes = asked("photos of the classes", sets.classes(classifier.labels))
    elsewhere = {name: asked(name, _plain(paths)) for name, paths in sets.elsewhere.items()}
    strangers = {kind: asked(kind, _plain(paths)) for kind, paths in sets.strangers.items()}
    small = {
        kind: asked(f"{kind}, {SMALL_PX} px", _plain(small_copies(paths, SMALL_PX, place / f"small-{number}")))
        for number, (kind, paths) in enumerate(sets.strangers.items())
    }
    ways = _ways(classifier, classes.given)
    rows = [*_of_strangers(ways, classes, strangers, ""), *_of_strangers(ways, classes, small, f", {SMALL_PX} px")]
    for name, group in {"photos of the classes": classes, **elsewhere}.items():
        rows.append(_row(f"{name} filed", [str(share_of(way.filed(group.given))) for way in ways], ways))
    groups = (classes, *elsewhere.values(), *strangers.values(), *small.values())
    return Told(rows, _figures(ways, classes, strangers, small), MEANING, _notes(model, classifier, groups))


def _plain(paths: Iterable[Path]) -> list[Photo]:
    return [Photo(path, 0) for path in paths]


def _ways(classifier: Classifier, classes: Given) -> list[Way]:
    off = (0.0,) * len(classifier.labels)
    thresholds = {"": classifier.familiarity}
    if classes.familiarity is not None:
        thresholds[f" at {100 * SENT:g} %"] = float(np.quantile(classes.familiarity, SENT))
    return [
        Way(f"{policy}{at}", classifier.labels, threshold, least)
        for at, threshold in thresholds.items()
        for policy, least in (("off", off), ("auto", classifier.thresholds))
    ]


def _of_strangers(ways: Sequence[Way], classes: Answered, kinds: Mapping[str, Answered], at: str) -> Iterable[Row]:
    for kind, group in kinds.items():
        yield _row(f"{kind} filed{at}", [str(share_of(way.filed(group.given))) for way in ways], ways)
    judged = _judged(kinds)
    yield _row(f"strangers filed{at}", [str(share_of(way.filed(judged))) for way in ways], ways)
    yield _row(f"half and half: right{at}", [_right(way, classes, judged) for way in ways], ways)
    if classes.given.familiarity is not None and judged.familiarity is not None:
        area = ranking(classes.given.familiarity, judged.familiarity)
        yield _row(f"AUROC{at}", [None if area is None else round(area, 4)] + [None] * (len(ways) - 1), ways)


def _row(name: str, cells: Sequence[object], ways: Sequence[Way]) -> Row:
    return {"": name} | {way.name: cell for way, cell in zip(ways, cells, strict=True)}


def _judged(kinds: Mapping[str, Answered]) -> Given:
    """All strangers but the near kinds."""
    groups = [group.given for kind, group in kinds.items() if kind != NEAR]
    familiarity = [group.familiarity for group in groups if group.familiarity is not None]
    return Given(
        np.concatenate([group.probabilities for group in groups]), np.concatenate(familiarity) if familiarity else None
    )


def _right(way: Way, classes: Answered, strangers: Given) -> float | None:
    """Share that is right among what is filed in an inbox of as many strangers as photos; None if nothing is filed."""
    filed = way.filed(classes.given)
    right = filed & (classes.given.probabilities.argmax(axis=1) == classes.labels)
    every = float(filed.mean()) + float(way.filed(strangers).mean())
    return round(float(right.mean()) / every, 4) if every else None


def _figures(
    ways: Sequence[Way], classes: Answered, strangers: Mapping[str, Answered], small: Mapping[str, Answered]
) -> dict[str, float]:
    auto = ways[1]
    found: dict[str, float] = {}
    for at, kinds in (("", strangers), (f", {SMALL_PX} px", small)):
        judged = _judged(kinds)
        found[f"strangers filed{at}"] = round(float(auto.filed(judged).mean()), 4)
        found[f"right{at}"] = _right(auto, classes, judged) or 0.0
    return found


def _notes(model: Path, classifier: Classifier, groups: Iterable[Answered]) -> list[str]:
    notes = [f"Measured: {model.name}, {classifier.device}."]
    if classifier.familiarity is None and OTHER not in classifier.labels:
        notes.append("This model cannot tell that a picture belongs to no class, so only probability holds one back.")
    if unreadable := sum(len(group.unreadable) for group in groups):
        notes.append(f"{unreadable} pictures cannot be read and are not counted.")
    return notes
