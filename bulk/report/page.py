"""The page: counts by class and reason, photos in review, machines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulk.report.tally import Host, Tally, active_s
from bulk.results.schema import FILED, MS, REVIEW, VERDICTS
from bulk.storage import file_system, local_path
from common.html import Html, h, scrolling
from common.page import framed, note, section
from common.text import printable
from contract.pages.thumbnails import picture, thumbnail
from daemon.review import ReviewReason

_MEANING = {
    "filed": "belong to a class",
    "review": "go to review",
    "failed": "cannot be read, and go to _failed",
    "left": "are no photos, are gone, or may not be read: they stay",
}


def page(tally: Tally, about: Mapping[str, Any], where: str) -> str:
    """Return the whole page as one self-contained HTML file.

    Args:
        tally: the sums.
        about: what `results.json` says.
        where: the results.
    """
    rules = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about["rules"].items())
    source = f"{where}, model {about['model'][:12]}, {rules}"
    parts = [
        ("photos", "Photos", section("photos", f"{tally.photos:,} photos", _verdicts(tally))),
        ("classes", "Classes", section("classes", "By class", _classes(tally))),
    ]
    for reason in ReviewReason:
        count = tally.reviews[reason.value]
        title = f"{count:,} {reason.value} photo{'s' * (count != 1)}"
        shown = _drawn(tally.drawn[reason.value], reason)
        parts.append((reason.value, reason.value.capitalize(), section(reason.value, title, shown)))
    parts.append(("faults", "Not judged", section("faults", "Photos that were not judged", _faults(tally))))
    parts.append(("machines", "Machines", section("machines", "Machines", _machines(tally.hosts))))
    return framed("What bulk judged", source, parts)


def _verdicts(tally: Tally) -> list[Html]:
    rows = [(verdict, f"{tally.verdicts[verdict]:,}", _share(tally.verdicts[verdict], tally.photos), _MEANING[verdict])
            for verdict in VERDICTS]  # fmt: skip
    changed = (
        f"{tally.changed:,} photos were changed after they were listed, and were judged as they were then."
        if tally.changed
        else ""
    )
    return [_table(("verdict", "photos", "share", "they"), rows), *([note(changed)] if changed else [])]


def _classes(tally: Tally) -> Html:
    rows = [
        (printable(label), f"{counts[FILED]:,}", f"{counts[REVIEW]:,}", _share(counts[REVIEW], counts.total()))
        for label, counts in sorted(tally.classes.items(), key=lambda one: (-one[1].total(), one[0]))
    ]
    return _table(("most probable class", "filed", "in review", "share in review"), rows)


def _faults(tally: Tally) -> Html:
    rows = [(verdict, printable(why), f"{count:,}") for (verdict, why), count in tally.faults.most_common()]
    return _table(("verdict", "reason", "photos"), rows) if rows else note("All photos were judged.")


def _machines(hosts: Mapping[str, Host]) -> list[Html]:
    rows = []
    for name, host in sorted(hosts.items()):
        took_s = active_s(host.intervals)
        rate = f"{host.photos / took_s:,.0f}" if took_s else "\N{EN DASH}"
        each = (f"{host.took_ms[step] / host.photos:.1f}" for step in MS)
        rows.append(
            (
                printable(name),
                ", ".join(sorted(host.providers)),
                f"{host.photos:,}",
                f"{took_s / 3600:.2f}",
                rate,
                *each,
            )
        )
    head = ("host", "runs on", "photos", "hours", "photos/s", *(f"{step} ms" for step in MS))
    how = "Hours: those in which a part was under way, without interruptions. The ms are for each photo, in one thread."
    return [_table(head, rows), note(how)]


def _drawn(rows: Sequence[Mapping[str, Any]], reason: ReviewReason) -> list[Html]:
    if not rows:
        return [note("None.")]
    return [
        note(f"{len(rows)} of them, drawn at random."),
        h("ul", [h("li", _figure(row, reason)) for row in rows], class_="photos"),
    ]


def _figure(row: Mapping[str, Any], reason: ReviewReason) -> Html:
    name = printable(row["path"].rpartition("/")[2])
    said = f"{printable(row['label'])} {row['probability']:.2f}"
    if reason is ReviewReason.UNFAMILIAR and row["familiarity"] is not None:
        said = f"nearest to {printable(row['nearest'])}, {row['familiarity']:.2f}"
    caption = h("figcaption", h("b", said), h("span", name, class_="path", title=printable(row["path"])))
    return h("figure", picture(_thumbnail(row["path"]), f"{name}: {said}"), caption)


def _thumbnail(text: str) -> str | None:
    path = local_path(text)
    if path is not None:
        return thumbnail(path)
    files, place = file_system(text)
    try:
        return thumbnail(files.cat_file(place))
    except OSError:  # it is gone, or cannot be read now
        return None


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    words = h("tr", [h("th", name, scope="col") for name in head])
    lines = [h("tr", h("th", first, scope="row"), list(map(_cell, rest))) for first, *rest in rows]
    return scrolling(h("table", h("thead", words), h("tbody", lines), class_="figures"), head[0])


def _cell(text: str) -> Html:
    return h("td", text, class_="number" if text[:1].isdigit() else None)


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else "\N{EN DASH}"
