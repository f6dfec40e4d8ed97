"""Each benchmark runs, and prints its table, its figures and what they mean; no time is judged."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import machine
from benchmarks.common import record
from benchmarks.foreign.photos import chosen_sets
from benchmarks.foreign.table import measured
from benchmarks.photos import MIXES, WEIGHS_MB, made
from benchmarks.throughput.chart import NAMES, chart
from benchmarks.throughput.takers import BOUNDS, DAEMON, DATASET, LOOP, PREDICT, steady
from benchmarks.told import Told
from benchmarks.training.few import KEPT, summed
from benchmarks.training.filed import oracle
from benchmarks.training.subsets import ROWS
from tests.colour_model import FAMILIAR, colour_model

TINY = {
    "throughput": ["--mixes", "small", "--rounds", "1", "--photos-each", "48"],
    "latency": ["--ways", "moved in", "--drops", "2", "--backlog", "40"],
    "scale": ["--most", "200"],
    "ledger": ["--rows", "2000", "--rounds", "1"],
    "look": ["--photos", "2000", "--rounds", "1"],
    "idle": ["--seconds", "0.2"],
    "startup": ["--rounds", "1"],
    "swap": ["--seconds", "0.5"],
    "words": ["speed", "--photos", "8", "--rounds", "1"],
    "bulk": ["first", "--rows", "20", "--plan-rows", "200"],
}


def run(root: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], cwd=root, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_and_prints_what_it_found_as_json(name: str, root: Path, tmp_path: Path) -> None:
    if name == "bulk":
        pytest.importorskip("pyarrow", reason="pyarrow comes with the extra bulk")
    told = json.loads(run(root, f"benchmarks.{name}", *TINY[name], "--json", "--work", str(tmp_path / "work")))
    assert told["rows"]
    assert len({tuple(row) for row in told["rows"]}) == 1, "all rows have the same columns"
    assert told["meaning"].endswith(".")
    assert machine.processor() in told["machine"]
    left = {path.name for path in (tmp_path / "work").iterdir()}
    assert left <= {"photos-1"}, "what was measured with is removed"


def test_the_list_names_every_benchmark_and_each_says_what_it_does(root: Path) -> None:
    listed = run(root, "benchmarks")
    folder = root / "benchmarks"
    names = {path.parent.name for path in folder.glob("*/__main__.py")}
    names |= {path.stem for path in folder.glob("*.py") if 'if __name__ == "__main__"' in path.read_text()} - {
        "__main__"
    }
    assert names
    assert {name for name in names if f"benchmarks.{name} " not in listed} == set()
    page = (root / "docs" / "benchmarks.md").read_text()
    assert {name for name in names if f"benchmarks.{name}" not in page} == set()


def test_a_table_is_readable_in_a_terminal_and_on_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = Told([{"who": "a", "ms": 1.5}, {"who": "bb", "ms": None}], {"ratio": 2.0}, "Means a lot.", ["Left out: c."])
    told.show(False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["who   ms", "  a  1.5", " bb    -"]
    assert lines[3].startswith("ratio: 2. Means a lot.")
    assert lines[4] == "Left out: c."
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- part -->\nold\n<!-- end of part -->\nAfter.\n")
    record(page, "part", told, "--short --record")
    text = page.read_text()
    assert text.startswith("Before.\n<!-- part -->\n")
    assert text.endswith("<!-- end of part -->\nAfter.\n")
    assert "old" not in text
    assert "`python -m benchmarks.part --short`" in text
    assert "| bb | - |" in text


def test_a_result_without_a_place_on_the_page_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- other -->\n<!-- end of other -->\n")
    with pytest.raises(SystemExit, match="no place for the results of part"):
        record(page, "part", Told([{"a": 1}], {}, "."), "")


def test_every_benchmark_has_its_place_on_the_page(root: Path) -> None:
    page = (root / "docs" / "measurements.md").read_text()
    parts = [f"training {part}" for part in ("time", "feed", "memory", "restart", "few", "pseudo")]
    words = [f"words {part}" for part in ("pulls", "copies", "speed")]
    words += [f"bulk {part}" for part in ("local", "first", "kills")]
    for name in (*TINY.keys() - {"words", "bulk"}, "foreign", "export", "backbones", *parts, *words):
        assert f"<!-- {name} -->" in page
        assert f"<!-- end of {name} -->" in page


def rates(mix: str) -> list[dict[str, Any]]:
    found = {DAEMON: 95.0, BOUNDS[0]: 90.0, BOUNDS[1]: 100.0, LOOP: 30.0, PREDICT: 2.5, DATASET: 20.0}
    return [{"mix": mix, "taker": taker, "photos/s": rate} for taker, rate in found.items()]


def test_the_chart_shows_each_rate_as_a_share_of_the_faster_bound() -> None:
    assert set(NAMES) == set(MIXES)
    drawn = ET.fromstring(chart([row for mix in MIXES for row in rates(mix)], "3 cores & more"))
    bars = [bar for bar in drawn.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x") == "136"]
    assert [float(bar.get("width", 0)) for bar in bars[:4]] == [456.0, 144.0, 96.0, 12.0]
    texts = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"95 photos/s", "30", "2.5", "12 MP JPEG", "3 cores & more"} <= texts


def plain(folder: Path, colours: dict[str, str], count: int) -> Path:
    """Pictures of one colour, in a folder for each name."""
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (200, 120 + number), colour).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("familiarity", [FAMILIAR, None])
def test_strangers_are_counted_where_a_model_files_them(tmp_path: Path, familiarity: Any) -> None:
    model = tmp_path / "colours.onnx"
    model.write_bytes(colour_model(familiarity=familiarity))
    classes = plain(tmp_path / "classes", {"red": "red", "green": "lime", "blue": "blue"}, 2)
    strangers = plain(tmp_path / "strangers", {"grey": "grey", "near red": "#f02000"}, 3)
    wanted = Namespace(shared=None, classes=classes, foreign=strangers, short=False)
    (tmp_path / "small").mkdir()
    told = measured(model, chosen_sets(wanted), tmp_path / "small")
    rows = {row[""]: row for row in told.rows}
    passed = {name: row["off"].partition(" (")[0] for name, row in rows.items() if " filed" in name}
    grey, half = ("0.0 %", 1 / 1.5) if familiarity else ("100.0 %", 1 / 2)
    assert passed["photos of the classes filed"] == "100.0 %"
    for at in ("", ", 100 px"):
        assert (passed[f"grey filed{at}"], passed[f"near red filed{at}"]) == (grey, "100.0 %")
        assert rows[f"half and half: right{at}"]["off"] == pytest.approx(half, abs=1e-3)
        assert (f"AUROC{at}" in rows) == bool(familiarity)
    assert ("off at 5 %" in told.rows[0]) == bool(familiarity)


def test_a_12_megapixel_photo_weighs_what_a_cameras_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.photos.DISTINCT", {"12mp": 1})
    (photo,) = made(tmp_path, "12mp")
    assert WEIGHS_MB[0] <= photo.stat().st_size / 1e6 <= WEIGHS_MB[1]
    assert made(tmp_path, "12mp") == [photo], "made once"


@pytest.mark.parametrize("together", [1, 20, 100])
def test_the_steady_rate_does_not_depend_on_how_many_photos_are_filed_together(together: int) -> None:
    # 200 photos per second and 8 ms of CPU time each; a sample every 20 ms counts what was filed by then.
    samples = [(at / 50, min(1000, 4 * at // together * together), 4 * at * 8e-3) for at in range(300)]
    rate, cpu_ms = steady(samples, 1000)
    assert rate == pytest.approx(200, rel=0.03)
    assert cpu_ms == pytest.approx(8, rel=0.03)


def test_of_few_photos_all_the_way_counts() -> None:
    assert steady([(0.0, 0, 0.0), (1.0, 0, 0.1), (2.0, 10, 0.2)], 10) == (5.0, 20.0)


def test_an_oracle_files_as_many_photos_as_the_precision_allows() -> None:
    right = np.array([True, True, False, True, True, False])
    falling = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert oracle(falling, right, 1.0) == pytest.approx(2 / 6)
    assert oracle(falling, right, 0.8) == pytest.approx(5 / 6), "a mistake between is made up for by those after it"
    assert oracle(np.full(6, 0.5), right, 0.8) == 0.0, "equal probabilities pass or fail together"


def test_a_row_draws_other_photos_each_time_and_as_many_of_each_class_as_it_says() -> None:
    photos = {label: [Path(label, f"{number}.jpg") for number in range(1200)] for label in "abcdef"}
    first, again, second = (ROWS["uneven scenes"].drawn(photos, draw) for draw in (0, 0, 1))
    assert [len(files) for files in first.values()] == [1000, 500, 100, 50, 20, 1000]
    assert first == again
    assert first["d"] != second["d"]
    assert ROWS["scenes all"].drawn(photos, 1) == photos
    assert {len(files) for files in ROWS["scenes 5"].drawn(photos, 0).values()} == {5}


def test_draws_are_summed_up_as_their_mean_and_their_worst() -> None:
    draws: list[dict[str, Any]] = [
        {"accuracy": 0.8, "log loss": 0.5, KEPT: True, "filed: right": 0.9},
        {"accuracy": 0.7, "log loss": 0.6, KEPT: False, "filed: right": None},
    ]
    mean, worst = summed("a", draws)
    assert list(mean.values()) == ["a", 2, "mean", 0.75, 0.55, 1, 0.9]
    assert (worst["accuracy"], worst["log loss"], worst["filed: right"]) == (0.7, 0.6, 0.9)
