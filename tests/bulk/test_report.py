"""The page about results: counts by class and reason, photos in review, machines."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra bulk")

from bulk.errors import BulkError
from bulk.report.tally import SHOWN, Tally, active_s
from bulk.report.write import write_report
from bulk.results.store import ResultStore
from tests.bulk.plans import case, judge_of, manifest, model, photos
from tests.daemon.support import plain, run, write

FACTS = {"plan": "p" * 32, "model": "m" * 64, "rules": {"review_below": "auto", "unfamiliar": "review"}}


def test_the_page_counts_by_class_and_reason_and_shows_photos_in_review(tmp_path: Path) -> None:
    judge, store = judge_of(model(tmp_path), review_below="auto"), ResultStore(tmp_path / "results")
    store.begin(FACTS)
    first = [*photos(tmp_path / "p", 9), write(tmp_path / "p/grey<b>.jpg", plain("grey"))]
    second = [write(tmp_path / "p/bad.jpg", b"\xff\xd8\xff"), tmp_path / "p/gone.jpg"]
    for number, paths in enumerate((first, second)):
        store.publish(f"part-00000{number}.parquet", judge.judge(manifest([case(path) for path in paths]), tmp_path))
    done = run("bulk", "report", store.place.root, "--output", tmp_path / "report")  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    assert "12 photos of 2 parts" in done.stdout
    page = (tmp_path / "report/report.html").read_text()
    for words in ("12 photos", "3 unsure photos", "1 unfamiliar photo<", "corrupt", "changed", "grey&lt;b&gt;.jpg"):
        assert words in page
    assert page.count("data:image/jpeg;base64,") == 4
    tally = write_report(str(tmp_path / "results"), tmp_path / "again")
    assert tally.verdicts == {"filed": 6, "review": 4, "failed": 1, "left": 1}
    assert tally.classes["green"] == {"filed": 3}
    assert tally.faults == {("failed", "corrupt"): 1, ("left", "changed"): 1}


def test_photos_of_a_thousand_parts_are_drawn_at_random_and_few_are_kept(tmp_path: Path) -> None:
    judge = judge_of(model(tmp_path), review_below=1.0)
    part = judge.judge(manifest([case(path) for path in photos(tmp_path / "p", 30)]), tmp_path)
    tally = Tally()
    for number in range(20):
        ids = [f"{(7 * row + 13 * number) % 97:02d}-{number:02d}-{row:02d}" for row in range(30)]
        tally.add(part.set_column(0, "id", [ids]))
    drawn = [row["id"] for row in tally.drawn["unsure"]]
    assert len(drawn) == SHOWN
    assert drawn == sorted(f"{(7 * row + 13 * number) % 97:02d}-{number:02d}-{row:02d}"
                           for number in range(20) for row in range(30))[:SHOWN]  # fmt: skip


def test_time_counts_once_where_parts_overlap_and_not_where_nothing_runs() -> None:
    assert active_s([(10.0, 20.0), (0.0, 4.0), (15.0, 22.0), (12.0, 13.0)]) == 16.0


def test_without_results_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(BulkError, match="holds no results"):
        write_report(str(tmp_path / "none"), tmp_path / "report")
    assert not (tmp_path / "report").exists()
