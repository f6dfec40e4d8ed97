"""Photos side by side, each with its true class, predicted class and probability."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.html import Html, h
from common.page import note, section
from contract.pages.thumbnails import Thumbnails, picture
from training.report.content import ReportInput, SplitPart, percent

WORST = 24
EXAMPLES = 4  # right answers of a class
EXAMPLE_CLASSES = 30
UNFOLDED = 8  # with more classes, the examples are folded


def worst_mistakes(part: SplitPart) -> NDArray[np.int64]:
    """Indices of the mistakes, the most certain first."""
    wrong = np.flatnonzero(part.predicted != part.true)
    return wrong[np.argsort(-part.top[wrong], kind="stable")]


def examples(given: ReportInput, thumbs: Thumbnails) -> Html | None:
    """A few right answers of each class, from the surest to the least sure; None if there are none."""
    part = given.parts[0]
    right = np.flatnonzero(part.predicted == part.true)
    right = right[np.argsort(-part.top[right], kind="stable")]
    blocks = []
    for label in np.unique(part.true[right])[:EXAMPLE_CLASSES]:
        own = right[part.true[right] == label]
        places = sorted(set(np.linspace(0, len(own) - 1, EXAMPLES).round().astype(int).tolist()))
        thumbs.want(part.photos[number] for number in own[places])
        name = h("summary", h("h3", given.labels[label]))
        blocks.append((name, gallery([int(number) for number in own[places]], part, given, thumbs)))
    if not blocks:
        return None
    words = "Photos that were put into the right class, from the one it was surest of to the one it was least sure of."
    if len(given.labels) > len(blocks):
        words += f" Shown are {len(blocks)} of {len(given.labels):,} classes."
    folds = [h("details", name, photos, open=len(blocks) <= UNFOLDED) for name, photos in blocks]
    return section("examples", "What it gets right", note(words), folds)


def gallery(numbers: Sequence[int], part: SplitPart, given: ReportInput, thumbs: Thumbnails) -> Html:
    """The photos at these indices, as a list of figures."""
    return h("ul", [h("li", _figure(int(number), part, given, thumbs)) for number in numbers], class_="photos")


def _figure(number: int, part: SplitPart, given: ReportInput, thumbs: Thumbnails) -> Html:
    true, taken = given.labels[part.true[number]], given.labels[part.predicted[number]]
    name = given.shown(part.photos[number])
    if true == taken:
        verdict = [h("b", taken, class_="right"), f" {percent(part.top[number])}"]
    else:
        own = float(part.probabilities[number, part.true[number]])
        verdict = [
            h("b", taken, class_="wrong"),
            f" {percent(part.top[number])}",
            h("br"),
            h("span", "is ", h("b", true), f" {percent(own)}"),
        ]
    return h(
        "figure",
        picture(thumbs.of(part.photos[number]), f"{name}: {true}, taken for {taken}"),
        h("figcaption", h("span", verdict, class_="verdict"), h("span", name, class_="path", title=name)),
    )
