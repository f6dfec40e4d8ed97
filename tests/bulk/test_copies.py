"""`phototriage bulk file --copy-to`: copies in another storage, read back, with a manifest; no original is touched."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

import fsspec
import pyarrow.parquet as pq
from fsspec.implementations.memory import MemoryFileSystem

from tests.bulk.judged import JudgedPhotos, call, files_below
from tests.colour_model import LABELS
from tests.daemon.support import ROOT, unique, write

IN_MEMORY = "memory://sorted/{label}/"

CUT_OFF = """
import os, phototriage, bulk.filing.copies.place as place
from daemon.files.identity import sha256_of
place.sha256_of = lambda path: os._exit(9) if path.name.endswith(".part") else sha256_of(path)
phototriage.main()
"""
"""Runs a command that ends when the first copy is written and has no name yet."""


@pytest.fixture
def judged(tmp_path: Path) -> JudgedPhotos:
    return JudgedPhotos(tmp_path, str)


@pytest.fixture(autouse=True)
def _forget() -> None:
    store = fsspec.filesystem("memory").store
    store.clear()


def copy(judged: JudgedPhotos, to: str, *words: str, code: int = 0) -> list[dict[str, Any]]:
    judged.publish()
    done = call("bulk", "file", judged.results, "--copy-to", to, "--json", *words)
    assert done.exit_code == code, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def objects() -> dict[str, bytes]:
    files = fsspec.filesystem("memory")
    return {name: files.cat(name) for name in files.find("/sorted") if "/_copied/" not in name}


def test_copies_are_whole_and_the_manifest_tells_where_each_photo_went(judged: JudgedPhotos, tmp_path: Path) -> None:
    for number in range(30):
        judged.photo(f"in/{number}.jpg", LABELS[number % 3], relpath="in")
    judged.photo("unsure.jpg", verdict="review", folder="_review", review_reason="unsure")
    judged.photo("left.jpg", verdict="left", folder="")
    originals = files_below(judged.inbox)
    to = tmp_path / "a place" / "{label}"
    *_, summary = copy(judged, str(to))
    assert summary["counts"] == {"copied": 31, "stays": 1}
    manifest = pq.read_table(tmp_path / "a place/_copied/part-000000.parquet").to_pylist()
    assert [row["path"] for row in manifest] == [row["path"] for row in judged.rows]
    for row in manifest[:-1]:
        assert Path(row["target"]).read_bytes() == Path(row["path"]).read_bytes()
    assert manifest[0]["target"] == str(tmp_path / "a place/red/in/0.jpg")
    assert manifest[-2]["target"] == str(tmp_path / "a place/_review/unsure.jpg")
    assert (manifest[-1]["target"], manifest[-1]["outcome"]) == (None, "stays")
    assert files_below(judged.inbox) == originals
    assert len([one for one in files_below(tmp_path / "a place") if not one.startswith("_copied")]) == 31


def test_objects_are_copied_from_storage_to_storage_and_a_second_call_copies_nothing(judged: JudgedPhotos) -> None:
    files = fsspec.filesystem("memory")
    for number in range(5):
        judged.photo(f"{number}.jpg", LABELS[number % 3])
        files.pipe(f"/photos/{number}.jpg", (judged.inbox / f"{number}.jpg").read_bytes())
        judged.rows[-1]["path"] = f"memory://photos/{number}.jpg"
    *_, summary = copy(judged, IN_MEMORY)
    assert summary["counts"] == {"copied": 5}
    assert objects()["/sorted/red/0.jpg"] == unique("red", 1)
    made = {name: files.modified(name) for name in objects()}
    assert copy(judged, IN_MEMORY) == [{"event": "summary", "counts": {}, "before": 5}]
    files.rm("/sorted/_copied/part-000000.parquet")  # as after a kill in the middle of a part
    files.rm("/sorted/red/3.jpg")
    *_, summary = copy(judged, IN_MEMORY)
    assert summary["counts"] == {"copied": 5}
    assert set(objects()) == set(made)
    assert {name for name in made if files.modified(name) != made[name]} == {"/sorted/red/3.jpg"}


def test_a_copy_that_a_kill_cut_off_is_made_whole_and_leaves_no_rest(judged: JudgedPhotos, tmp_path: Path) -> None:
    """The process ends while it copies, as at a kill."""
    for number in range(3):
        judged.photo(f"{number}.jpg")
    judged.publish()
    to = f"{tmp_path}/to/{{label}}/"
    words = [sys.executable, "-c", CUT_OFF, "bulk", "file", str(judged.results), "--copy-to", to]
    assert subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120).returncode == 9
    assert list((tmp_path / "to/red").glob("*.jpg")) == []
    assert list((tmp_path / "to/red").glob(".*.part"))
    *_, summary = copy(judged, to)
    assert summary["counts"] == {"copied": 3}
    assert sorted(path.name for path in (tmp_path / "to/red").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]


def test_photos_of_one_name_get_numbers_and_the_same_ones_when_it_goes_on(judged: JudgedPhotos, tmp_path: Path) -> None:
    for number in range(4):
        judged.photo(f"{number}/a.jpg", "red", number=1 + number // 2)  # two pairs of equal bytes
    (tmp_path / "to/red").mkdir(parents=True)
    write(tmp_path / "to/red/a.jpg", b"somebody's own")
    to = f"{tmp_path}/to/{{label}}/{{name}}"
    copy(judged, to)
    names = [f"red/a{end}.jpg" for end in ("-1", "-2", "-3", "-4", "")]
    assert [one for one in files_below(tmp_path / "to") if not one.startswith("_copied")] == names
    assert (tmp_path / "to/red/a.jpg").read_bytes() == b"somebody's own"
    manifest = tmp_path / "to/_copied/part-000000.parquet"
    before = pq.read_table(manifest).column("target").to_pylist()
    manifest.unlink()
    copy(judged, to)
    assert pq.read_table(manifest).column("target").to_pylist() == before
    assert [one for one in files_below(tmp_path / "to") if not one.startswith("_copied")] == names


def test_what_changed_or_went_after_it_was_judged_is_not_copied(judged: JudgedPhotos) -> None:
    write(judged.photo("edited.jpg"), b"other bytes")
    judged.photo("gone.jpg").unlink()
    judged.photo("far.jpg")
    judged.rows[-1]["path"] = "memory://photos/none.jpg"
    *lines, _, summary = copy(judged, IN_MEMORY, code=1)
    assert [(Path(line["path"]).name, line["outcome"]) for line in lines] == [
        ("edited.jpg", "changed"), ("gone.jpg", "gone"), ("none.jpg", "gone"),
    ]  # fmt: skip
    assert summary["counts"] == {"changed": 1, "gone": 2}
    assert objects() == {}
    write(judged.inbox / "gone.jpg", unique("red", 2))
    *_, summary = copy(judged, IN_MEMORY, code=1)
    assert (summary["counts"], summary["before"]) == ({"changed": 1, "gone": 1, "copied": 1}, 0)
    *_, summary = copy(judged, IN_MEMORY, code=1)
    assert (summary["counts"], summary["before"]) == ({"changed": 1, "gone": 1}, 1)
    assert objects() == {"/sorted/red/gone.jpg": unique("red", 2)}


def test_copies_of_other_results_are_not_mixed_in(judged: JudgedPhotos) -> None:
    judged.photo("a.jpg")
    copy(judged, IN_MEMORY)
    done = call("bulk", "file", judged.results, "--copy-to", "memory://sorted/{label}/{name}")
    assert done.exit_code == 1
    assert "holds copies of other results, or by another --copy-to" in done.stderr


def test_a_dry_run_copies_nothing(judged: JudgedPhotos) -> None:
    photo = judged.photo("a.jpg")
    assert copy(judged, IN_MEMORY, "--dry-run") == [
        {"event": "photo", "path": str(photo), "target": "memory://sorted/red/a.jpg"}
    ]
    assert fsspec.filesystem("memory").find("/sorted") == []


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("s3://bucket/sorted/", "does not say where the class goes"),
        ("/x/{label}/{date:%Y}/{name}", "do not hold when photos were taken"),
        ("/x/{label}/{nam}", "{nam} is not a field"),
        ("/x/../y/{label}", ""),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(judged: JudgedPhotos, to: str, said: str) -> None:
    judged.photo("a.jpg")
    judged.publish()
    done = call("bulk", "file", judged.results, "--copy-to", to, "--dry-run")
    assert (done.exit_code == 1) == bool(said)
    assert said in done.stderr


class LossyFileSystem(MemoryFileSystem):
    """Loses the last byte of each file that is put there."""

    protocol = "lossy"

    def put_file(self, lpath: str, rpath: str, **_: object) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes()[:-1])


def test_a_copy_that_does_not_give_back_its_bytes_ends_it(judged: JudgedPhotos) -> None:
    fsspec.register_implementation("lossy", LossyFileSystem, clobber=True)
    judged.photo("a.jpg")
    judged.publish()
    done = call("bulk", "file", judged.results, "--copy-to", "lossy://sorted/{label}/")
    assert done.exit_code == 1
    assert "does not give back the bytes that were written" in done.stderr
    assert not [name for name in fsspec.filesystem("lossy").find("/sorted") if name.endswith(".parquet")]
