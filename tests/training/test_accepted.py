"""Twenty candidates that a person accepts become a class of a model, and judge nothing."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import phototriage
from collect.run import Wanted, collect
from collect.sources.listed import Listed
from common.sources import SOURCES
from tests.collect.web import Server, fetcher, no_wait, serving

OWN = ("forest", "sea")


def call(*words: str | Path) -> str:
    """Run `phototriage WORDS`."""
    done = CliRunner().invoke(phototriage.cli, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def web() -> Iterator[Server]:
    """A server at the public address."""
    with serving() as server:
        yield server


@pytest.fixture
def photos(tmp_path: Path, shared: Path) -> Path:
    """A dataset of two classes, ten photos of each."""
    for label in OWN:
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for path in sorted((shared / "scenes" / "train" / label).iterdir())[:10]:
            (folder / path.name).symlink_to(path)
    return tmp_path / "photos"


@pytest.mark.usefixtures("small_backbone")
def test_twenty_candidates_become_a_class_by_learn_and_by_train(
    tmp_path: Path, shared: Path, web: Server, photos: Path
) -> None:
    receipts = sorted((shared / "foreign" / "receipts").iterdir())
    lines = []
    for number, path in enumerate(receipts[:26]):
        data = path.read_bytes()
        data = data[: len(data) // 3] if number % 6 == 0 else data
        web.routes[f"/{number}"] = lambda handler, data=data: handler.reply(data)  # type: ignore[misc]
        lines.append(json.dumps({"url": web.url(f"/{number}"), "licence": ("cc0", "by")[number % 2], "creator": "Ann"}))
    (tmp_path / "urls.jsonl").write_text("\n".join(lines))
    output = tmp_path / "collected" / "receipt"
    wanted = Wanted("receipt", output, photos, ("cc0", "by"), 20)
    found = collect(wanted, Listed(tmp_path / "urls.jsonl"), fetcher(), no_wait, lambda _: None)
    assert (found.total, dict(found.left_out)) == (20, {"unreadable": 4})

    (photos / "receipt").mkdir()
    for one in found.order:
        one.path.rename(photos / "receipt" / one.path.name)
    findings = json.loads(call("check-data", photos, "--json"))
    assert findings["counts"]["from-web"] == 0

    call("learn", "--labels", photos, "--output", tmp_path / "learnt.onnx")
    unseen = tmp_path / "unseen" / "receipt"
    unseen.mkdir(parents=True)
    for path in receipts[-8:]:
        (unseen / path.name).symlink_to(path)
    measured = json.loads(call("evaluate", tmp_path / "learnt.onnx", tmp_path / "unseen", "--json"))
    assert measured["metrics"]["accuracy"] >= 0.8
    told = json.loads(call("inspect", tmp_path / "learnt.onnx", "--json"))
    assert told["data"]["collected"]["licences"] == dict(found.licences)
    assert "by" in told["data"]["collected"]["owed"]
    assert told["metrics"]["photos"] == 20, "which judged: those of one's own"

    small = ("--weights", "none", "--size-px", "32", "--epochs", "0", "--set", "head.epochs=1")
    call("train", photos, "--output", tmp_path / "run", *small)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["dataset"]["collected"]["licences"] == dict(found.licences)
    with (tmp_path / "run" / "predictions.csv").open(newline="") as file:
        judged = {Path(row["path"]).parent.name for row in csv.DictReader(file)}
    assert judged == set(OWN)
    (output / SOURCES).unlink()
    assert json.loads(call("check-data", photos, "--json"))["counts"]["from-web"] == 20
