"""What learning came to, as one page: the verdict, its evidence with intervals, and the photos that would move."""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.html import Html, h, scrolling
from common.page import framed, note, section
from common.publish import publish_bytes
from common.text import printable
from contract.pages.thumbnails import Thumbnails, picture
from learn.audits import Audited
from learn.errors import LearnError
from learn.fitting.gate import Duel
from learn.pipeline import Change, LearnResult
from learn.show import headline
from training.compare.pairs import difference_interval
from training.report.content import percent, shown_path

PAGE = "report.html"
SHOWN = 120
"""Photos that the page shows; `--json` names all."""


def ready(folder: Path) -> None:
    """Make the folder if it is missing.

    Raises:
        LearnError: this user cannot write there. Better said now than after the photos were read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, os.strerror(errno.EACCES))


def write_report(folder: Path, result: LearnResult, audits: Sequence[Audited] = ()) -> Path:
    """Write the page into a folder; returns the page's path.

    Raises:
        LearnError: the folder cannot be written.
    """
    try:
        publish_bytes(folder / PAGE, page(result, audits).encode("utf-8"))
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    return folder / PAGE


def _unwritable(folder: Path, why: str | None) -> LearnError:
    return LearnError(
        f"The report in {printable(folder)} cannot be written ({why}). Name a folder that this user may write to; for a"
        " service that is the service's user."
    )


def page(result: LearnResult, audits: Sequence[Audited] = ()) -> str:
    """The whole page as one self-contained HTML file.

    Args:
        result: of learning.
        audits: of the models of the inbox.
    """
    parts = [
        ("evidence", "Evidence", section("evidence", "What speaks for the new model, and against it", _table(result))),
        ("photos", "Photos", section("photos", "Filed photos that would go elsewhere", _photos(result.changes))),
    ]
    if audits:
        parts.append(("audits", "Audits", section("audits", "How much of what was filed is right", _audits(audits))))
    return framed("What was learnt", "", parts, above=h("p", h("b", headline(result))))


def _table(result: LearnResult) -> list[Html]:
    head = h("tr", [h("th", name, scope="col") for name in ("photos of", "all", "won", "lost", "difference, 95 %")])
    rows = [
        h("tr", h("th", name, scope="row"), [h("td", cell, class_="number") for cell in cells])
        for name, cells in _rows(result)
    ]
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    how = (
        "Won: only the new model is right. Lost: only the model in use is. Interval of the difference: Agresti and Min,"
        " 2005. Corrections that were held out decide nothing, because the model in use was wrong about all of them."
    )
    return [scrolling(table, "Photos won and lost"), note(how)]


def _rows(result: LearnResult) -> Iterator[tuple[str, tuple[str, ...]]]:
    judged = result.judged
    yield "the gate, which no head has learnt from", _cells(judged.validation)
    for name, duel in zip(result.said.classes, judged.by_class, strict=False):
        yield f"the gate: {printable(name)}", _cells(duel)
    yield "your own photos", _cells(judged.asked)
    yield "corrections that were held out", _cells(judged.held_out)


def _cells(duel: Duel) -> tuple[str, ...]:
    low, high = difference_interval(duel.won, duel.lost, duel.photos)
    interval = f"{percent(low)} to {percent(high)}" if duel.photos else "\N{EN DASH}"
    return f"{duel.photos:,}", f"{duel.won:,}", f"{duel.lost:,}", interval


def _audits(audits: Sequence[Audited]) -> list[Html]:
    names = ("model", "answered", "right", "95 % interval", "estimated by itself")
    rows = [
        h(
            "tr",
            h("th", one.model[:12] + (", in use" if one.in_use else ""), scope="row"),
            [h("td", cell, class_="number") for cell in _audited(one)],
        )
        for one in audits
    ]
    head = h("tr", [h("th", name, scope="col") for name in names])
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    how = (
        "People answered, blind, about photos drawn at random from what each model filed (`phototriage audit`). The"
        " estimate is the mean probability that the model gave its photos: it costs no answer, and is no audit."
    )
    return [scrolling(table, "What audits found"), note(how)]


def _audited(one: Audited) -> tuple[str, ...]:
    return (
        f"{one.answered:,}",
        percent(one.accuracy),
        f"{percent(one.low)} to {percent(one.high)}",
        percent(one.estimated),
    )


def _photos(changes: tuple[Change, ...]) -> list[Html]:
    shown = changes[:SHOWN]
    thumbs = Thumbnails(SHOWN)
    thumbs.want(one.path for one in shown)
    items = [h("li", _figure(one, thumbs)) for one in shown]
    words = f"{len(changes):,} photos of which nobody said anything; the first {len(shown):,} are shown."
    return [note(words), h("ul", items, class_="photos")]


def _figure(change: Change, thumbs: Thumbnails) -> Html:
    name = shown_path(change.path, change.path.parent.parent)
    verdict = h("span", printable(change.before), " \N{RIGHTWARDS ARROW} ", h("b", printable(change.after)))
    words = f"{name}: {printable(change.before)}, then {printable(change.after)}"
    caption = h("figcaption", verdict, h("span", name, class_="path"))
    return h("figure", picture(thumbs.of(change.path), words), caption)
