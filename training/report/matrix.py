"""The confusion matrix. Each cell links to a panel with its photos, without a script."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from common.html import Html, h
from contract.pages.thumbnails import Thumbnails
from training.report.content import ReportInput, SplitPart, count
from training.report.gallery import gallery

SHOWN_CLASSES = 30
PER_MISTAKE = 24
PER_HIT = 6
PAIRS = 8
NARROW = 10  # classes that fit beside the list of mistakes, with horizontal names

Matrix = NDArray[np.int64]


def shown_classes(confusion: Matrix) -> list[int]:
    """Classes of the matrix in their order: all, or those with the most mistakes in row and column."""
    if len(confusion) <= SHOWN_CLASSES:
        return list(range(len(confusion)))
    wrong = confusion - np.diag(np.diag(confusion))
    mixed = wrong.sum(axis=0) + wrong.sum(axis=1)
    return sorted(np.argsort(-mixed, kind="stable")[:SHOWN_CLASSES].tolist())


def confusions(confusion: Matrix) -> Iterator[tuple[int, int, int]]:
    """Yield (photos, true class, predicted class) of each kind of mistake, the most frequent first."""
    wrong = confusion - np.diag(np.diag(confusion))
    for place in np.argsort(-wrong, axis=None, kind="stable"):
        true, taken = divmod(int(place), len(confusion))
        if not wrong[true, taken]:
            return
        yield int(wrong[true, taken]), true, taken


def cells(
    part: SplitPart, shown: Sequence[int], pairs: Sequence[tuple[int, int, int]]
) -> dict[tuple[int, int], list[int]]:
    """Photos for each shown cell that is not empty, and for each of `pairs`.

    Mistakes are sorted by falling certainty, hits by rising certainty. Mistakes come before hits, so that they get the
    pictures if the limit does not allow all.
    """
    inside = set(shown)
    listed = {(true, taken) for _, true, taken in pairs}
    found: dict[tuple[int, int], list[int]] = {}
    for number in np.argsort(-part.top, kind="stable"):
        key = int(part.true[number]), int(part.predicted[number])
        if inside.issuperset(key) or key in listed:
            found.setdefault(key, []).append(int(number))
    limited = {
        (true, taken): numbers[::-1][:PER_HIT] if true == taken else numbers[:PER_MISTAKE]
        for (true, taken), numbers in found.items()
    }
    return dict(sorted(limited.items(), key=lambda item: (item[0][0] == item[0][1], -len(found[item[0]]))))


def matrix_table(confusion: Matrix, shown: Sequence[int], labels: Sequence[str]) -> Html:
    """The table: a row per true class, a column per predicted class, darker for a larger share of the row."""
    others = len(shown) < len(labels)
    wide = " wide" if len(shown) > NARROW else ""
    head = [h("th", h("span", labels[taken], title=labels[taken]), scope="col") for taken in shown]
    rest = h("th", h("span", "others"), scope="col") if others else None
    rows = [
        h(
            "tr",
            h("th", h("span", "is \\ taken for"), class_="corner"),
            head,
            rest,
            h("th", h("span", "all"), scope="col"),
        )
    ]
    for true in shown:
        row = confusion[true]
        tail = h("td", f"{row.sum() - row[list(shown)].sum():,}") if others else None
        body = [_cell(int(row[taken]), int(row.sum()), true, taken, labels) for taken in shown]
        total = h("td", f"{row.sum():,}", class_="total")
        rows.append(h("tr", h("th", h("span", labels[true], title=labels[true]), scope="row"), body, tail, total))
    return h("div", h("table", rows, class_=f"matrix{wide}"), class_="scroll", tabindex="0", role="region",
             aria_label="Confusion matrix")  # fmt: skip


def _cell(number: int, total: int, true: int, taken: int, labels: Sequence[str]) -> Html:
    kind = "hit" if true == taken else "miss"
    if not number:
        return h("td", h("span", "\N{MIDDLE DOT}", aria_label="0"), class_="none")
    words = f"{count(number, 'photo')} of {labels[true]} taken for {labels[taken]}"
    level = min(6, ceil(6 * sqrt(number / total)))
    link = h("a", f"{number:,}", href=f"#{cell_id(true, taken)}", title=words, aria_label=f"{words}: show them")
    return h("td", link, class_=f"{kind} l{level}")


def cell_id(true: int, taken: int) -> str:
    """Id of the panel of a cell: numbers only, because class names may hold any character."""
    return f"cell-{true}-{taken}"


def panels(
    found: dict[tuple[int, int], list[int]], part: SplitPart, given: ReportInput, confusion: Matrix, thumbs: Thumbnails
) -> list[Html]:
    """One panel per cell, hidden until the link of its cell is followed."""
    made = []
    for (true, taken), numbers in found.items():
        total = int(confusion[true, taken])
        thumbs.want(part.photos[number] for number in numbers)
        with_picture = [number for number in numbers if part.photos[number] in thumbs]
        made.append(_panel(true, taken, total, given, gallery(with_picture, part, given, thumbs), len(with_picture)))
    return made


def _panel(true: int, taken: int, total: int, given: ReportInput, photos: Html, shown: int) -> Html:
    order = "the least sure first" if true == taken else "the surest first"
    what = "rightly taken for it" if true == taken else f"taken for {given.labels[taken]}"
    words = f"{count(total, 'photo')} of {given.labels[true]} {what}"
    note = f"{shown:,} of them, {order}." if shown < total else f"All of them, {order}."
    if not shown:
        note = "This page has reached its limit of pictures; predictions.csv lists every photo."
    head = h("header", h("h3", words), h("a", "Close", href="#confusion", class_="close"))
    return h("section", head, h("p", note, class_="note"), photos, id=cell_id(true, taken), class_="panel",
             tabindex="-1", aria_label=words)  # fmt: skip


def pair_list(pairs: Sequence[tuple[int, int, int]], labels: Sequence[str]) -> Html:
    """Kinds of mistakes (from `confusions`) in words, each with a link to its photos."""
    rows = []
    for number, true, taken in pairs:
        link = h("a", h("b", labels[true]), " taken for ", h("b", labels[taken]), href=f"#{cell_id(true, taken)}")
        rows.append(h("li", h("span", f"{number:,}", class_="figure"), " ", link))
    return h("ol", rows, class_="pairs")
