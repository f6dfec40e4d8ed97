"""The findings as one self-contained HTML file: counts, classes, and the worst of each kind with pictures."""

from pathlib import Path

from common.html import Html, document, h
from common.text import printable
from training.check.kinds import KIND_TEXTS, Finding, Kind
from training.check.report import Report
from training.html.thumbnails import Thumbnails, picture

FINDINGS = 24  # of a kind
PHOTOS = 4  # of a finding
CLASSES = 200
STYLE = Path(__file__).with_name("check.css")
_WITHOUT_PICTURE = (Kind.UNREADABLE, Kind.UNLISTED, Kind.BALANCE)


def page(report: Report) -> str:
    """The whole page. File names are escaped, and pictures contain only pixels."""
    thumbs = Thumbnails(FINDINGS * PHOTOS * len(Kind))
    name = printable(report.dataset.root.absolute().name)
    counts = report.counts()
    found = [kind for kind, count in counts.items() if count]
    body = h(
        "div",
        h("header", h("h1", f"Data check of {name}"), h("p", printable(report.dataset.sentence()), class_="source")),
        h("main", h("p", report.sentence(), class_="sum"), _counts(counts), _classes(report),
          [_section(kind, report, thumbs) for kind in found], id="main"),
        h("footer", "Written by phototriage check-data. This file holds everything it shows and loads nothing."),
    )  # fmt: skip
    return document(f"Data check of {name}", STYLE.read_text(encoding="utf-8"), body)


def _counts(counts: dict[Kind, int]) -> Html:
    rows = [
        h(
            "tr",
            h("td", h("a", KIND_TEXTS[kind].title, href=f"#{kind.value}") if count else KIND_TEXTS[kind].title),
            h("td", f"{count:,}", class_="number"),
            h("td", _verdict(kind, count)),
        )
        for kind, count in counts.items()
    ]
    head = h("tr", h("th", "Checked for", scope="col"), h("th", "Found", scope="col", class_="number"), h("th"))
    return h("table", h("thead", head), h("tbody", rows))


def _verdict(kind: Kind, count: int) -> Html:
    if not count:
        return h("span", "none", class_="ok")
    return h("span", "fix", class_="mend") if KIND_TEXTS[kind].fault else h("span", "check", class_="look")


def _classes(report: Report) -> Html:
    classes = list(report.classes())
    columns = list(classes[0][1])
    most = max(counts["all"] for _, counts in classes)
    rows = [
        h(
            "tr",
            h("td", label),
            [h("td", f"{counts[name]:,}", class_="number") for name in columns],
            h("td", h("i", style=f"width:{100 * counts['all'] / max(1, most):.1f}%"), class_="bar"),
        )
        for label, counts in classes[:CLASSES]
    ]
    numbers = [h("th", name, scope="col", class_="number") for name in columns]
    head = h("tr", h("th", "Class", scope="col"), numbers, h("th"))
    rest = f"and {len(classes) - CLASSES:,} more classes" if len(classes) > CLASSES else None
    table = h("table", h("thead", head), h("tbody", rows))
    return h("section", h("h2", "Photos by class"), table, h("p", rest) if rest else None)


def _section(kind: Kind, report: Report, thumbs: Thumbnails) -> Html:
    findings = report.of(kind)
    shown = findings[:FINDINGS]
    if kind not in _WITHOUT_PICTURE:
        thumbs.want(report.dataset.photos[number].path for item in shown for number in item.photos[:PHOTOS])
    words = h("p", KIND_TEXTS[kind].advice, class_="note")
    cards = h("ul", [_card(item, report, thumbs) for item in shown], class_="findings")
    rest = f"and {len(findings) - FINDINGS:,} more, all of them in findings.json" if len(findings) > FINDINGS else None
    title = h("h2", f"{KIND_TEXTS[kind].title} ({len(findings):,})")
    return h("section", title, words, cards, h("p", rest) if rest else None, id=kind.value)


def _card(finding: Finding, report: Report, thumbs: Thumbnails) -> Html:
    names = report.names(finding)
    if finding.kind in _WITHOUT_PICTURE:
        return h("li", [h("span", name, class_="path") for name in names], h("p", finding.detail))
    figures = [
        h(
            "figure",
            picture(thumbs.of(report.dataset.photos[number].path), name),
            h("figcaption", name, class_="path"),
        )
        for number, name in list(zip(finding.photos, names, strict=True))[:PHOTOS]
    ]
    more = f"and {len(names) - PHOTOS:,} more" if len(names) > PHOTOS else None
    return h("li", h("div", figures, class_="twins"), h("p", finding.detail), h("p", more) if more else None)
