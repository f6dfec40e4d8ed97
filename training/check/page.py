"""The findings as one page in the look of the reports: counts, classes, and the worst of each kind with pictures."""

from common.html import Html, h, scrolling
from common.page import framed, note, section
from common.text import printable
from contract.pages.thumbnails import Thumbnails, picture
from training.check.kinds import KIND_TEXTS, SHOWN_PHOTOS, Finding, Kind
from training.check.report import Report

FINDINGS = 24  # of a kind
CLASSES = 200
_WITHOUT_PICTURE = (Kind.UNREADABLE, Kind.UNLISTED, Kind.BALANCE)


def page(report: Report) -> str:
    """The whole page. File names are escaped, and pictures contain only pixels."""
    thumbs = Thumbnails(FINDINGS * SHOWN_PHOTOS * len(Kind))
    title = f"Data check of {printable(report.dataset.root.absolute().name)}"
    parts = [("checked", "Checked for", _counts(report.counts())), ("classes", "Classes", _classes(report))]
    parts += [(kind.value, KIND_TEXTS[kind].title, _section(kind, report, thumbs))
              for kind, count in report.counts().items() if count]  # fmt: skip
    return framed(title, printable(report.dataset.sentence()), parts, _hero(report))


def _hero(report: Report) -> Html:
    faults = report.faults()
    big = h("div", h("p", "To fix before training", class_="over"), h("p", f"{faults:,}", class_="big"))
    numbers = (("to check", len(report.findings) - faults), ("photos", len(report.dataset.photos)),
               ("classes", len(report.dataset.labels)))  # fmt: skip
    tiles = h("dl", [h("div", h("dt", name), h("dd", f"{number:,}")) for name, number in numbers], class_="tiles")
    return h("div", big, h("div", h("p", report.sentence(), class_="lead"), tiles), class_="hero")


def _counts(counts: dict[Kind, int]) -> Html:
    rows = [
        h(
            "tr",
            h("th", h("a", KIND_TEXTS[kind].title, href=f"#{kind.value}") if count else KIND_TEXTS[kind].title,
              scope="row"),
            h("td", f"{count:,}", class_="number"),
            h("td", _verdict(kind, count)),
        )
        for kind, count in counts.items()
    ]  # fmt: skip
    head = h("tr", h("th", "checked for", scope="col"), h("th", "found", scope="col", class_="number"),
             h("th", "verdict", scope="col"))  # fmt: skip
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    return section("checked", "What was checked", scrolling(table, "Findings of each kind"))


def _verdict(kind: Kind, count: int) -> Html:
    words, level = ("fix", "warning") if KIND_TEXTS[kind].fault else ("check", "note")
    return h("span", words if count else "none", class_=f"badge {level if count else 'ok'}")


def _classes(report: Report) -> Html:
    classes = list(report.classes())
    columns = list(classes[0][1])
    most = max(1, *(counts["all"] for _, counts in classes))
    rows = [
        h("tr", h("th", label, scope="row"), [_number(counts[name], most, name == "all") for name in columns])
        for label, counts in classes[:CLASSES]
    ]
    head = h("tr", h("th", "class", scope="col"), [h("th", name, scope="col", class_="number") for name in columns])
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    rest = note(f"{len(classes) - CLASSES:,} more classes are left out here.") if len(classes) > CLASSES else None
    return section("classes", "Photos of each class", scrolling(table, "Photos of each class"), rest)


def _number(count: int, most: int, barred: bool) -> Html:
    bar = {"class_": "number bar", "style": f"--part:{100 * count / most:.1f}%"} if barred else {"class_": "number"}
    return h("td", f"{count:,}", **bar)


def _section(kind: Kind, report: Report, thumbs: Thumbnails) -> Html:
    findings = report.of(kind)
    shown = findings[:FINDINGS]
    if kind not in _WITHOUT_PICTURE:
        thumbs.want(report.dataset.photos[number].path for item in shown for number in item.photos[:SHOWN_PHOTOS])
    cards = h("ul", [_card(item, report, thumbs) for item in shown], class_="findings")
    left = len(findings) - len(shown)
    rest = note(f"{left:,} more are in findings.json.") if left else None
    title = f"{KIND_TEXTS[kind].title} ({len(findings):,})"
    return section(kind.value, title, note(KIND_TEXTS[kind].advice), cards, rest)


def _card(finding: Finding, report: Report, thumbs: Thumbnails) -> Html:
    names = report.names(finding)
    if finding.kind in _WITHOUT_PICTURE:
        return h("li", [h("span", name, class_="path") for name in names], finding.detail)
    photos = [
        h("li", h("figure", picture(thumbs.of(report.dataset.photos[number].path), name),
                  h("figcaption", h("span", name, class_="path"))))
        for number, name in list(zip(finding.photos, names, strict=True))[:SHOWN_PHOTOS]
    ]  # fmt: skip
    left = len(names) - len(photos)
    return h("li", finding.detail, f" ({left:,} more photos are in findings.json)" if left else None,
             h("ul", photos, class_="photos"))  # fmt: skip
