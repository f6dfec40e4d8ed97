"""The charts of a report as SVG files, for slides and mails: those of its page, and the confusion matrix."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from common.html import Html, h
from training.html.chart import Chart
from training.html.svg import Frame, clipped
from training.report.charts import learning_charts, pr_chart, reliability_chart, review_chart
from training.report.content import ReportInput, SplitPart, percent
from training.report.learning import more_photos_chart
from training.report.matrix import PAIRS, confusions, shown_classes
from training.report.scores import review_curve
from training.report.trust import familiarity_chart

CELL_PX, LEAST_PX = 46, 420
DARK = 0.75  # share of a row from which the number in a cell is white


def charts(given: ReportInput) -> dict[str, Chart]:
    """The charts of the report by name; those of the learning only if the run tells of it."""
    part = given.parts[0]
    found = learning_charts(given.history)
    if given.told.familiarity is not None:
        found["familiarity"] = familiarity_chart(given.told.familiarity)
    if len(given.told.curve) > 1:
        found["more-photos"] = more_photos_chart(given.told.curve)
    return found | {
        "confusion": confusion_chart(part, given.labels),
        "precision-recall": pr_chart(part),
        "reliability": reliability_chart(part.scores.bins),
        "review": review_chart(review_curve(part.true, part.probabilities), part),
    }


def confusion_chart(part: SplitPart, labels: Sequence[str]) -> Chart:
    """The confusion matrix, a table in the page: numbers of photos, darker for a larger share of the row."""
    counts = np.array(part.scores.metrics.confusion)
    chosen = shown_classes(counts)
    shares = (counts / np.maximum(1, counts.sum(axis=1, keepdims=True)))[np.ix_(chosen, chosen)]
    counts, names = counts[np.ix_(chosen, chosen)], [clipped(labels[index]) for index in chosen]
    room, side = 36 + round(6.7 * max(map(len, names))), CELL_PX * len(chosen)
    over, ends = max(0, LEAST_PX - side), (0.0, float(len(chosen)))
    frame = Frame(ends, ends, room + side + over, room + side, left=room, right=over, top=0, bottom=room)
    parts = [
        h("text", "taken for", x=room + side / 2, y=room + side - 6, class_="name middle"),
        h("text", "is", x=12, y=side / 2, transform=f"rotate(-90 12 {side / 2})", class_="name middle"),
    ]
    for name, place in zip(names, (CELL_PX * (number + 0.5) for number in range(len(names))), strict=True):
        across, down = room + place + 4, side + 8
        turn = f"rotate(-90 {across} {down})"
        parts.append(h("text", name, x=room - 8, y=place + 4, class_="tick end"))
        parts.append(h("text", name, x=across, y=down, transform=turn, class_="tick end"))
    for row, column in np.argwhere(counts).tolist():
        parts += _cell(frame, row, column, int(counts[row, column]), float(shares[row, column]))
    metrics = part.scores.metrics
    mistakes = islice(confusions(np.array(metrics.confusion)), PAIRS)
    words = "; ".join(f"{number:,} of {labels[true]} taken for {labels[taken]}" for number, true, taken in mistakes)
    return Chart(frame, f"{percent(metrics.accuracy)} of {metrics.photos:,} {part.words} right", words, parts)


def _cell(frame: Frame, row: int, column: int, photos: int, share: float) -> list[Html]:
    x, y = frame.left + CELL_PX * column, CELL_PX * row
    ink = "on" if share > DARK else "value"
    return [
        h("rect", x=x + 1, y=y + 1, width=CELL_PX - 2, height=CELL_PX - 2, rx=4, fill_opacity=share, class_="cell"),
        h("text", f"{photos:,}", x=x + CELL_PX / 2, y=y + CELL_PX / 2 + 4, class_=f"{ink} middle"),
    ]
