"""Results: parts are there whole or not at all, and never those of another plan, model or rules."""

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra bulk")

from bulk.errors import BulkError
from bulk.results.place import LEFTOVER_S
from bulk.results.store import ResultStore
from tests.bulk.plans import case, judge_of, manifest, model, photos

FACTS = {"plan": "p" * 32, "model": "m" * 64, "rules": {"review_below": "off", "unfamiliar": "review"}}


@pytest.fixture(params=["folder", "url"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    """Results in a folder, and behind a URL."""
    if request.param == "folder":
        return ResultStore(tmp_path / "results")
    pytest.importorskip("fsspec", reason="fsspec comes with the extra bulk")
    return ResultStore(f"memory://{tmp_path.name}/results")


def test_a_published_part_is_done_and_reads_as_it_was_written(tmp_path: Path, store: ResultStore) -> None:
    assert store.done() == set()
    table = judge_of(model(tmp_path)).judge(manifest([case(path) for path in photos(tmp_path / "p", 3)]), tmp_path)
    for name in ("part-000001.parquet", "part-000000.parquet", "part-000001.parquet"):
        store.publish(name, table)
    assert store.done() == {"part-000000.parquet", "part-000001.parquet"}
    assert store.read("part-000001.parquet") == table
    with pytest.raises(BulkError, match="no part part-000002"):
        store.read("part-000002.parquet")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"plan": "q" * 32}, "another plan"),
        ({"model": "n" * 64}, "another model"),
        ({"rules": {"review_below": 0.5, "unfamiliar": "review"}}, "other rules"),
    ],
)
def test_results_of_another_plan_model_or_rules_are_not_mixed(
    store: ResultStore, changed: dict[str, object], named: str
) -> None:
    store.check(FACTS)
    store.begin(FACTS, provider="cpu")
    store.begin(FACTS, provider="cuda")
    about = store.about()
    assert about is not None
    assert about["provider"] == "cpu"
    with pytest.raises(BulkError, match=named):
        store.begin(FACTS | changed)


def test_what_a_killed_writer_left_long_ago_is_removed_and_never_counted(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    (tmp_path / "parts").mkdir()
    old, new = tmp_path / "parts/.aa.part", tmp_path / "parts/.bb.part"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago_s = time.time() - 2 * LEFTOVER_S
    os.utime(old, (long_ago_s, long_ago_s))
    assert store.done() == set()
    assert [path.name for path in (tmp_path / "parts").iterdir()] == [".bb.part"]
