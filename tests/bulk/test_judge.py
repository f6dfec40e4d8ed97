"""One part in, one part out: the rows say what the daemon would do, and a photo that cannot be read is a row."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
from PIL import Image

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra bulk")

from bulk.errors import BulkError
from bulk.judge.part import PartJudge
from bulk.judge.policy import Policy
from bulk.manifest.schema import SCHEMA
from bulk.results.schema import RESULTS
from bulk.storage import stamp_of
from common.errors import ModelError
from daemon.classify.loaded_model import LoadedModel
from tests.bulk.plans import case, judge_of, manifest, model, photos
from tests.colour_model import colour_graph
from tests.daemon.support import encoded, environment, plain, write

IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from contract.session import open_model
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.files.identity import look_at
from daemon.photo import Found
from daemon.predict import predict, trial_guard
model = open_model(Path(sys.argv[1]), "cpu")
loaded = LoadedModel(model, rules_of(model, "auto"))
paths = [Path(line) for line in sys.stdin.read().split()]
with trial_guard(Path("/nowhere")) as guard:
    found = list(predict(paths, lambda path: Found(path, look_at(path)), loaded, guard, count=None, threads=3))
for _, photo in found:
    judged = photo.judgement
    print(json.dumps([
        photo.read.sha256, judged.label, judged.top, judged.probability.hex(), judged.likeness.familiarity.hex(),
        judged.likeness.nearest, judged.embedding.values.hex(), judged.outcome.value, judged.folder, judged.reason,
    ]))
"""


def test_rows_are_bit_for_bit_what_predict_gives_in_another_process(tmp_path: Path) -> None:
    paths = photos(tmp_path / "photos", 66)  # more than a batch
    for number in range(0, 66, 5):
        paths[number].write_bytes(encoded(Image.effect_noise((50 + number, 40), 90).convert("RGB")))
    file = model(tmp_path)
    words = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(file)]
    asked = "\n".join(map(str, paths))
    done = subprocess.run(words, input=asked, capture_output=True, text=True, env=environment(), check=True)
    table = judge_of(file, review_below="auto").judge(manifest([case(path) for path in paths]), tmp_path)
    assert table.schema == RESULTS
    rows = table.to_pylist()
    assert [_comparable(row) for row in rows] == [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["review_reason"] for row in rows} == {None, "unsure", "unfamiliar"}


def _comparable(row: dict[str, Any]) -> list[Any]:
    top = {one["label"]: round(one["probability"], 6) for one in row["top"]}
    return [
        row["sha256"], row["label"], top, row["probability"].hex(), row["familiarity"].hex(),
        row["nearest"], row["embedding"].hex(), row["verdict"], row["folder"], row["reason"],
    ]  # fmt: skip


def test_what_cannot_be_judged_is_a_row_with_the_reason_in_its_place(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.jpg", plain("red")),
        write(tmp_path / "b.jpg", b"\xff\xd8\xff no photo"),
        tmp_path / "gone.jpg",
        write(tmp_path / "empty.jpg", b""),
        write(tmp_path / "letter.txt", b"dear"),
        tmp_path / ("long" * 99 + ".jpg"),
        write(tmp_path / "c.jpg", plain("blue")),
    ]
    heard: list[int] = []
    cases = [case(path) for path in paths]
    table = judge_of(model(tmp_path)).judge(manifest(cases), tmp_path, heard=heard.append)
    rows = table.to_pylist()
    assert table.select(SCHEMA.names).to_pylist() == cases
    assert [row["verdict"] for row in rows] == ["filed", "failed", "left", "failed", "left", "left", "filed"]
    assert [row["folder"] for row in rows] == ["red", "_failed", "", "_failed", "", "", "blue"]
    assert [(row["error"] or "").partition(":")[0] for row in rows] == [
        "", "corrupt", "changed", "empty", "foreign-file", "unreadable", "",
    ]  # fmt: skip
    assert "taken away" in rows[2]["error"]
    assert heard == [7]


def test_a_photo_that_changed_after_it_was_listed_is_judged_as_it_is_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", plain("red"))
    other = write(tmp_path / "b.jpg", plain("red"))
    link = tmp_path / "link.jpg"
    link.symlink_to(other)
    cases = [case(path), case(other, stamp="5"), case(other, stamp="", size=None), case(link)]
    path.write_bytes(plain("blue", 60))
    rows = judge_of(model(tmp_path)).judge(manifest(cases), tmp_path).to_pylist()
    assert [row["label"] for row in rows] == ["blue", "red", "red", "red"]
    assert [row["size"] for row in rows] == [one["size"] for one in cases]
    assert "bytes when it was listed" in rows[0]["error"]
    assert "changed after it was listed" in rows[1]["error"]
    assert rows[2]["error"] is rows[3]["error"] is None


def test_photos_behind_urls_are_judged_alike_and_leave_no_copy(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec comes with the extra bulk")
    store = fsspec.filesystem("memory")
    store.pipe_file("/photos/a.jpg", plain("green"))
    listed = stamp_of(store.info("/photos/a.jpg"))
    cases = [
        case(tmp_path, path="memory://photos/a.jpg", size=len(plain("green")), stamp=listed),
        case(tmp_path, path="memory://photos/a.jpg", size=len(plain("green")), stamp="of another content"),
        case(tmp_path, path="memory://photos/gone.jpg", size=3, stamp=""),
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rows = judge_of(model(tmp_path)).judge(manifest(cases), scratch).to_pylist()
    store.rm("/photos", recursive=True)
    assert [(row["label"], row["verdict"]) for row in rows] == [("green", "filed"), ("green", "filed"), ("", "left")]
    assert listed
    assert [row["error"] and row["error"].partition(":")[0] for row in rows] == [None, "judged as it is now", "changed"]
    assert not list(scratch.glob("*.jpg"))


def test_a_model_that_gives_no_valid_answers_any_more_ends_the_run_and_fails_no_photo(tmp_path: Path) -> None:
    judge = judge_of(model(tmp_path))
    broken = ort.InferenceSession(colour_graph(3, gain=float("nan"), familiar=True), providers=["CPUExecutionProvider"])
    judge.loaded = LoadedModel(replace(judge.loaded.model, session=broken), judge.loaded.rules)
    cases = [case(path) for path in photos(tmp_path / "photos", 10)]
    with pytest.raises(ModelError, match="no valid answers any more"):
        judge.judge(manifest(cases), tmp_path)


def test_a_disk_that_is_not_mounted_ends_the_run_and_no_photo_counts_as_taken_away(tmp_path: Path) -> None:
    judge, file = judge_of(model(tmp_path)), tmp_path / "disk/album/a.jpg"
    cases = manifest([case(file, relpath="album"), case(file.with_name("b.jpg"), relpath="album")])
    with pytest.raises(BulkError, match="disk is empty or gone"):
        judge.judge(cases, tmp_path)
    file.parent.mkdir(parents=True)  # the album is empty, but the disk is there
    assert set(judge.judge(cases, tmp_path)["verdict"].to_pylist()) == {"left"}


def test_a_model_file_that_was_replaced_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(BulkError, match="was replaced"):
        PartJudge(model(tmp_path), "0" * 64, Policy(), device="cpu")
