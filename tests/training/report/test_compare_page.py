"""A comparison as people meet it: on the terminal, as JSON, as a page, and as a table of what changed."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree as ET

from click.testing import CliRunner, Result

from tests.training.report.conftest import MakeRun
from tests.training.report.support import TAKEN, Page, draw_photos
from training.commands.compare import compare
from training.compare import compare_models, write_comparison
from training.compare.page import page

OTHER = ((0, 0.9), (2, 0.8), (0, 0.7), (0, 0.6), *TAKEN[4:7], (1, 0.55), *TAKEN[8:])


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(compare, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_terminal_shows_figures_settings_and_what_the_difference_is_worth(make_run: MakeRun) -> None:
    done = invoke(make_run("first").path, make_run("[red]second", OTHER, epochs=9).path)
    assert done.exit_code == 0
    for words in ("[red]second", "0.7500", "0.8333", "fine_tune.epochs", "p = 1.000", "2 photos gained, 1 lost"):
        assert words in done.output, words


def test_json_is_one_object_and_names_every_photo_that_changed(make_run: MakeRun, tmp_path: Path) -> None:
    runs = make_run("first").path, make_run("second", OTHER).path
    done = invoke(*runs, "--json", "--output", tmp_path / "compared")
    value = json.loads(done.stdout)
    assert [run["accuracy"] for run in value["runs"]] == [0.75, 10 / 12]
    assert [Path(change["path"]).name for change in value["pairs"][0]["gained"]] == ["03.jpg", "07.jpg"]
    assert "compare.html" in done.stderr


def test_one_run_is_wrong_usage(make_run: MakeRun) -> None:
    assert invoke(make_run().path).exit_code == 2


def test_the_page_shows_the_photos_that_changed_and_loads_nothing(make_run: MakeRun) -> None:
    comparison = compare_models([make_run("first").path, make_run("<script>second", OTHER).path])
    shown = Page(page(comparison))
    assert "script" not in {tag for tag, _ in shown.elements}
    assert len(shown.all("img")) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in shown.values("src"))
    for words in ("Gained: <script>second right, first wrong (2)", "Lost: first right, <script>second wrong (1)"):
        assert words in shown.text
    names = shown.values("id")
    assert len(names) == len(set(names))


def test_of_many_runs_the_curves_of_the_best_are_drawn(make_run: MakeRun) -> None:
    worse = [make_run(f"worse {number}", ((1, 0.9), *TAKEN[1:])).path for number in range(2)]
    better = [make_run(f"better {number}").path for number in range(4)]
    shown = Page(page(compare_models([*worse, *better])))
    keys = shown.text.partition("How they learnt")[2].partition("What changed")[0]
    assert "worse" not in keys
    assert "The 4 most accurate ones." in keys


def test_three_runs_are_each_set_against_the_first(make_run: MakeRun) -> None:
    runs = [make_run("first").path, make_run("second", OTHER).path, make_run("third", OTHER[::1]).path]
    shown = Page(page(compare_models(runs)))
    assert "What changed from first to second" in shown.text
    assert "What changed from first to third" in shown.text


def test_the_folder_holds_the_page_a_picture_and_a_table_without_formulas(make_run: MakeRun, tmp_path: Path) -> None:
    labels = ("+forest", "=sea", "street")
    drawn = draw_photos(tmp_path / "photos", (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2), labels)
    runs = [make_run(name, taken, labels=labels, of=drawn) for name, taken in (("=a", TAKEN), ("@b$_{$", OTHER))]
    file = write_comparison(tmp_path / "compared", compare_models([run.path for run in runs]))
    assert sorted(path.name for path in file.parent.iterdir()) == ["changes.csv", "compare.html", "figures"]
    names = ["accuracy.svg", "validation-accuracy.svg", "validation-log-loss.svg"]
    assert sorted(path.name for path in (file.parent / "figures").iterdir()) == names
    words = ET.parse(file.parent / "figures" / names[0]).getroot().itertext()
    assert {"=a", "@b$_{$", "75.0\N{NARROW NO-BREAK SPACE}%"} <= set(words)
    with file.with_name("changes.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert len(rows) == 4
    assert not [text for row in rows for text in row if text[0] in "=+-@"]
