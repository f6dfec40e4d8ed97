"""A grid's page in a real browser: in light and dark, silent, asking for nothing, and no wider than its window."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.report.browser import browse
from tests.training.report.support import Page

pytestmark = [pytest.mark.system("chromium")]


@pytest.mark.parametrize(("scheme", "least", "most"), [("light", 200, 255), ("dark", 0, 60)])
def test_it_follows_light_and_dark_asks_nothing_and_stays_silent(
    trained_grid: tuple[Path, str],
    require: Callable[[str], str],
    tmp_path: Path,
    scheme: str,
    least: int,
    most: int,
) -> None:
    shown = browse(require("chromium"), (trained_grid[0] / "grid.html").as_uri(), tmp_path, scheme)
    with Image.open(shown.screenshot) as image:
        corner = np.asarray(image.convert("RGB"), np.int16)[5, 5]
    assert least <= corner.min() <= corner.max() <= most
    assert shown.requests == []
    assert shown.console == []
    page = Page(shown.dom)
    assert not page.all("script")
    assert len(page.all("svg")) == 3


def test_nothing_is_wider_than_a_telephone(
    trained_grid: tuple[Path, str], require: Callable[[str], str], tmp_path: Path
) -> None:
    text = (trained_grid[0] / "grid.html").read_text(encoding="utf-8").replace("Content-Security-Policy", "x-none")
    copy = tmp_path / "measured.html"
    script = "document.title = [document.documentElement.scrollWidth, innerWidth].join()"
    copy.write_text(f"{text}<script>setTimeout(() => {{ {script} }}, 100)</script>", encoding="utf-8")
    shown = browse(require("chromium"), copy.as_uri(), tmp_path, "light", "500,900")
    assert "<title>500,500</title>" in shown.dom
