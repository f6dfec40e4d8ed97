"""The report in a real browser: in light and dark, without a word on the console or a request, its cells followed."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.report.browser import Shown, browse
from tests.training.report.support import LABELS, TAKEN, Page, probabilities
from training.dataset.layout import Photo
from training.measure.predictions import Predictions
from training.report import ReportInput, write_report

pytestmark = [pytest.mark.system("chromium")]

EVIL = "<script>document.title='taken over'</script><img src=x onerror=\"document.title='taken over'\">"
MAGENTA = (255, 0, 255)
Browse = Callable[..., Shown]


@pytest.fixture
def report(photos: tuple[Photo, ...], tmp_path: Path) -> Path:
    """A report whose class and photo carry hostile names; the forest taken for sea is a magenta photo."""
    odd = tmp_path / "photos" / "<script>document.title='taken over'<"
    odd = odd.with_name(odd.name + "\N{DIVISION SLASH}script>.png")
    Image.new("RGB", (64, 64), MAGENTA).save(odd)
    shown = tuple(Photo(odd, photo.label, "val") if number == 3 else photo for number, photo in enumerate(photos))
    given = ReportInput(
        title=EVIL,
        labels=(*LABELS[:2], EVIL),
        predictions=Predictions(shown, probabilities(TAKEN, 3)),
        root=tmp_path / "photos",
        history=[{"epoch": 0, "accuracy": 0.5, "loss": 1.0}, {"epoch": 1, "accuracy": 0.7, "loss": 0.5}],
    )
    return write_report(tmp_path / "report", given)


@pytest.fixture
def show(require: Callable[[str], str], tmp_path: Path) -> Browse:
    browser = require("chromium")
    return lambda address, *more: browse(browser, address, tmp_path, *more)


def colours(screenshot: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    with Image.open(screenshot) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def magenta(screenshot: Path) -> int:
    """How many pixels are of that colour, as far as JPEG keeps it."""
    return int((np.abs(colours(screenshot) - np.array(MAGENTA)).max(axis=2) < 24).sum())


def test_a_page_that_asks_and_complains_is_seen_to(show: Browse, tmp_path: Path) -> None:
    """The next test would pass with a browser that tells nothing: here it has something to tell."""
    file = tmp_path / "asking.html"
    file.write_text('<img src="http://192.0.2.1/x.png"><script>console.log("hello")</script>', encoding="utf-8")
    shown = show(file.as_uri())
    assert set(shown.requests) == {"http://192.0.2.1/x.png"}
    assert any("hello" in words for words in shown.console)


@pytest.mark.parametrize(("scheme", "least", "most"), [("light", 200, 255), ("dark", 0, 60)])
def test_it_follows_light_and_dark_asks_nothing_runs_nothing_and_stays_silent(
    report: Path, show: Browse, scheme: str, least: int, most: int
) -> None:
    shown = show(report.as_uri(), scheme)
    corner = colours(shown.screenshot)[5, 5]
    assert least <= corner.min() <= corner.max() <= most
    assert shown.requests == []
    assert shown.console == []
    page = Page(shown.dom)
    assert not page.all("script")
    assert f"<title>{EVIL.split('>', maxsplit=1)[0].replace('<', '&lt;')}" in shown.dom
    assert len(page.all("svg")) == 5
    assert len(page.all("section")) > 6


def test_a_cell_of_the_matrix_opens_the_photos_behind_it(report: Path, show: Browse) -> None:
    assert magenta(show(report.as_uri()).screenshot) == 0
    assert magenta(show(f"{report.as_uri()}#cell-0-1").screenshot) > 5000
    assert magenta(show(f"{report.as_uri()}#cell-1-2").screenshot) == 0


def test_a_chart_by_itself_is_dark_on_white_also_where_the_browser_is_dark(report: Path, show: Browse) -> None:
    shown = show((report.parent / "figures" / "confusion.svg").as_uri(), "dark", "500,400")
    seen = colours(shown.screenshot)
    assert seen[5, 5].min() == 255
    assert (seen.max(axis=2) < 60).sum() > 100, "words"
    assert (seen[:, :, 2] - seen[:, :, 0] > 80).sum() > 1000, "cells"
    assert shown.requests == []


def measured(report: Path, show: Browse, script: str, size: str) -> str:
    """What a script finds in a copy of the report that, unlike the report, lets one run: left in the title."""
    text = report.read_text(encoding="utf-8")
    assert text.count("Content-Security-Policy") == 1
    copy = report.with_name("measured.html")
    text = text.replace("Content-Security-Policy", "x-none")
    copy.write_text(f"{text}<script>setTimeout(() => {{ {script} }}, 100)</script>", encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", show(copy.as_uri(), "light", size).dom)
    assert title is not None
    return title[1]


def test_nothing_is_wider_than_a_telephone(report: Path, show: Browse) -> None:
    widths = "document.title = [document.documentElement.scrollWidth, innerWidth].join()"
    needed, given = measured(report, show, widths, "500,900").split(",")
    assert needed == given == "500"


def test_a_cell_is_reached_by_keyboard_and_its_panel_takes_the_focus_and_closes(report: Path, show: Browse) -> None:
    script = """
        const cell = document.querySelector("a[href='#cell-0-1']"), panel = document.getElementById("cell-0-1");
        const seen = () => getComputedStyle(panel).display + " " + document.activeElement.id;
        const found = [cell.tabIndex, seen()];
        cell.click();
        setTimeout(() => {
            found.push(seen());
            panel.querySelector(".close").click();
            setTimeout(() => { found.push(seen()); document.title = found.join("|"); }, 100);
        }, 100);
    """
    assert measured(report, show, script, "1280,900") == "0|none |block cell-0-1|none "
