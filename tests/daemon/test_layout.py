"""A layout says where photos go, never out of the output; a wrong one is refused at the start."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Reason
from daemon.filing.layout import DEFAULT_LAYOUT, Layout, LayoutError, check_layout
from tests.daemon.support import QUICK, faulty, opened_filer, plain, roots, run, scored, tree, write

TAKEN = datetime(2024, 7, 3, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "relpath", "place"),
    [
        (DEFAULT_LAYOUT, "", "red/a.jpg"),
        (DEFAULT_LAYOUT, "trip/day 1", "red/trip/day 1/a.jpg"),
        ("{name}", "trip", "a.jpg"),
        ("{label}/{date:%Y/%m}/{name}", "trip", "red/2024/07/a.jpg"),
        ("{date}/{label}-{name}", "", "2024-07-03/red-a.jpg"),
        ("by class/{label}/{date:%Y-%m-%d %H.%M.%S} {name}", "", "by class/red/2024-07-03 12.00.00 a.jpg"),
        ("{{x}}/{name}", "", "{x}/a.jpg"),
    ],
)
def test_a_template_is_filled(template: str, relpath: str, place: str) -> None:
    assert Layout(template).path_of("red", Path(relpath), "a.jpg", TAKEN) == Path(place)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "must end with {name}"), ("{label}", "must end with {name}"), ("{name}/{label}", "must end with {name}"),
        ("{name}.jpg", "must end with {name}"), ("{name}{name}", "must end with {name}"),
        ("{label}/{nam}", "{nam} is not a field; the fields are {label}, {relpath}, {name}, {date}"),
        ("{}/{name}", "{} is not a field"), ("{0}/{name}", "{0} is not a field"), ("{label.x}/{name}", "{label.x} is"),
        ("{label[0]}/{name}", "is not a field"), ("{label", "its braces do not match"), ("{label}}/{name}", "braces"),
        ("{label:%Y}/{name}", "{label} takes no format"), ("{label!r}/{name}", "{label} takes no format"),
        ("{date:%Q}/{name}", "'%Q' is not a date format"), ("{date:%Y{name}}/{name}", "is not a date format"),
        ("/{name}", "it must not be absolute"), ("/srv/{label}/{name}", "it must not be absolute"),
        ("../{name}", "'..' cannot name"), ("{label}/../{name}", "'..' cannot name"), ("{date:..}/{name}", "'..' "),
        ("{label}/.hidden/{name}", "'.hidden' cannot name"), (".{label}/{name}", "cannot name"),
        ("{label}/x\0y/{name}", "characters that cannot be printed"), ("\udce9/{name}", "cannot be printed"),
        ("x" * 256 + "/{name}", "cannot name"),
        (".{name}", "cannot name"), ("{label}/~{name}", "cannot name"),
    ],
)  # fmt: skip
def test_a_template_that_leads_elsewhere_or_nowhere_is_refused(template: str, why: str) -> None:
    with pytest.raises(LayoutError, match="cannot be used") as refused:
        Layout(template)
    assert why in str(refused.value)
    assert str(refused.value).endswith(DEFAULT_LAYOUT)


@QUICK
@given(st.text(st.sampled_from("{}labelnmrpthd:%Ym/.~ "), max_size=30).map(lambda text: text + "{name}"))
def test_no_template_that_is_taken_leads_out_of_the_output(template: str) -> None:
    try:
        layout = Layout(template)
    except LayoutError:
        return
    place = layout.path_of("red", Path("a/b"), "n.jpg", TAKEN)
    assert not place.is_absolute()
    assert ".." not in place.parts
    assert place.name.endswith("n.jpg")


def test_an_inbox_in_the_output_needs_the_default_layout(tmp_path: Path) -> None:
    check_layout(Layout(), tmp_path / "in", tmp_path)
    check_layout(Layout("{name}"), tmp_path, tmp_path / "out")
    with pytest.raises(LayoutError, match="Pass an inbox outside the output"):
        check_layout(Layout("{name}"), tmp_path / "in", tmp_path)


def test_photos_lie_by_the_layout_and_what_is_not_filed_lies_by_the_default_one(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    (inbox / "trip").mkdir()
    one, two, three = (write(inbox / name, plain("red"), 1_500_000_000) for name in ("0.jpg", "1.jpg", "trip/2.jpg"))
    unsure, torn = scored(two, "green", thresholds={"green": 1.0}), faulty(three, Reason.CORRUPT)
    torn.found = replace(torn.found, relpath=Path("trip"))
    with opened_filer(output, tmp_path / "l", layout=Layout("{date:%Y/%m}/{label}/{name}")) as filer:
        filer.file([scored(one), unsure, torn])
    assert sorted(tree(output)) == [
        "2017/07/red/0.jpg", "_failed/trip/2.jpg", "_failed/trip/2.jpg.why.txt", "_review/1.jpg",
    ]  # fmt: skip


def test_a_name_that_the_layout_makes_too_long_is_cut(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l", layout=Layout("{label}-{name}")) as filer:
        filer.file([scored(write(inbox / ("x" * 251 + ".jpg"), plain("red")))])
    (name,) = tree(output)
    assert name == "red-" + "x" * 247 + ".jpg"


def test_the_layout_is_an_option_and_a_wrong_one_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = run("sort", "--inbox", tmp_path / "in", "--output", tmp_path / "out", "--layout", "{colour}/{name}")
    assert done.returncode == 2
    assert "{colour} is not a field" in " ".join(done.stderr.split())
    assert not os.path.lexists(tmp_path / "out")
