"""Pages beside the report in a real browser: a comparison and a data check on a telephone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.report.browser import needed_px
from tests.training.report.conftest import MakeRun
from training.check.check import PAGE, check_dataset
from training.compare import compare_models, write_comparison
from training.progress import Reporter

pytestmark = [pytest.mark.system("chromium")]

TELEPHONE_PX = 390
LONG = "a-run-with-a-long-name-without-any-spaces-in-it-that-nobody-would-give-but-a-script"


def test_a_comparison_is_no_wider_than_a_telephone(
    make_run: MakeRun, require: Callable[[str], str], tmp_path: Path
) -> None:
    runs = [make_run(f"{LONG}-{number}", epochs=number + 1).path for number in range(5)]
    page = write_comparison(tmp_path / "compared", compare_models(runs))
    assert needed_px(require("chromium"), page, tmp_path, TELEPHONE_PX) == TELEPHONE_PX


def test_a_data_check_is_no_wider_than_a_telephone(
    make_run: MakeRun, require: Callable[[str], str], tmp_path: Path, reporter: Reporter
) -> None:
    make_run()
    (tmp_path / "photos" / "sea" / f"{LONG}.jpg").write_text("no photo")
    check_dataset(tmp_path / "photos", reporter, output=tmp_path / "checked")
    assert needed_px(require("chromium"), tmp_path / "checked" / PAGE, tmp_path, TELEPHONE_PX) == TELEPHONE_PX
