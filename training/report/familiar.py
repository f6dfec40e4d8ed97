"""The section about familiarity: how like the learnt photos the judging ones are, and which are the least like them."""

from pathlib import Path

from common.html import Html, h
from training.html.chart import Chart
from training.html.page import note, section
from training.html.svg import Frame, axes, line
from training.html.thumbnails import Thumbnails, picture
from training.report.content import ReportInput, percent
from training.report.told import ToldFamiliarity


def familiar(given: ReportInput, thumbs: Thumbnails) -> Html | None:
    """Histogram, promise and the least familiar photos; None if the run does not tell."""
    told = given.told.familiarity
    if told is None:
        return None
    if told.kept_at_least is None:
        promise = f"{told.photos:,} photos are too few to promise how many good ones go to review for it."
    else:
        promise = f"At most {percent(1 - told.kept_at_least)} of good photos go to review for it (95 % certain)."
    words = f"A photo below {told.threshold:.3f} is unlike all photos learnt from, and goes to review. {promise}"
    chart = h("figure", h("figcaption", h("h3", "How familiar its own photos are")), familiarity_chart(told).svg())
    photos = [(given.root / name, name, value) for name, value in told.least]
    thumbs.want(path for path, _, _ in photos)
    figures = [h("li", _figure(path, name, value, told, thumbs)) for path, name, value in photos]
    least = h("div", h("h3", "Least familiar photos of its classes"), h("ul", figures, class_="photos"))
    return section("familiar", "Does it know what it does not know?", note(words), chart, least)


def _figure(path: Path, name: str, value: float, told: ToldFamiliarity, thumbs: Thumbnails) -> Html:
    below = h("b", "review", class_="wrong") if value < told.threshold else h("b", "kept", class_="right")
    return h(
        "figure",
        picture(thumbs.of(path), f"{name}: familiarity {value:.3f}"),
        h(
            "figcaption",
            h("span", below, f" {value:.3f}", class_="verdict"),
            h("span", name, class_="path", title=name),
        ),
    )


def familiarity_chart(told: ToldFamiliarity) -> Chart:
    """Number of photos over their familiarity, with the threshold."""
    edges = [told.low + place * told.step for place in range(len(told.counts) + 1)]
    most = float(max(told.counts))
    left, right = min(edges[0], told.threshold), max(edges[-1], told.threshold)
    frame = Frame((left, right), (0.0, most * 1.05), height=300)
    steps = [(edges[0], 0.0)]
    for place, count in enumerate(told.counts):
        steps += [(edges[place], float(count)), (edges[place + 1], float(count))]
    steps.append((edges[-1], 0.0))
    parts = [
        axes(frame, "familiarity", "photos"),
        line(frame, steps, "s0"),
        line(frame, [(told.threshold, 0.0), (told.threshold, most)], "mark"),
    ]
    words = f"{told.photos:,} photos from {edges[0]:.2f} to {edges[-1]:.2f}; the threshold is {told.threshold:.3f}"
    return Chart(frame, "Familiarity of the photos of the classes", words, parts)
