"""Photos side by side, each with its true class, predicted class and probability."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.html import Html, h
from training.html.thumbnails import Thumbnails, picture
from training.report.content import ReportInput, SplitPart, percent

WORST = 24


def worst_mistakes(part: SplitPart) -> NDArray[np.int64]:
    """Indices of the mistakes, the most certain first."""
    wrong = np.flatnonzero(part.predicted != part.true)
    return wrong[np.argsort(-part.top[wrong], kind="stable")]


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
