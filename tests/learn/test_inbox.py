"""From the labels of an inbox to the model in use, by the commands that anybody can call."""

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from common.drawing import draw_scene
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from daemon.models.history import Entry, ModelEvent, note
from learn.label_file import read_filed
from learn.work import answer_about
from tests.daemon.house import House, ask
from tests.learn.conftest import line


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An inbox that the shipped model served."""
    made = House(tmp_path / "house")
    model = open_model(SHIPPED_MODEL, "cpu")
    note(made.path, Entry(time.time(), SHIPPED_MODEL, ModelEvent.STARTED, model.sha256, model.contract.labels))
    return made


def _drawn(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    for seed in range(count):
        draw_scene("street", seed, (160, 120)).save(folder / f"{seed}.png")
    return sorted(folder.iterdir())


def _learn(root: Path, cwd: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, root / "phototriage.py", "learn", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env={**os.environ})


def test_from_any_folder_labels_become_the_model_in_use_and_a_second_time_nothing_is_new(
    house: House, tmp_path: Path, root: Path
) -> None:
    said = ask("labels", "add", "--class", "drawings", "--new", "--inbox", house.inbox, *_drawn(tmp_path / "d", 12))
    assert said.exit_code == 0, said.output
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "json.py").write_text("raise SystemExit('a module of the folder was taken')\n")
    done = _learn(root, tmp_path / "elsewhere", "--inbox", house.inbox, "--yes")
    assert done.returncode == 0, done.stderr
    assert "the next start uses" in done.stdout
    (now, *_) = map(json.loads, ask("model", "list", "--inbox", house.inbox, "--json").output.splitlines())
    learnt = open_model(Path(now["file"]), "cpu").contract.learned
    assert learnt is not None
    assert learnt.added == ("drawings",)
    again = _learn(root, tmp_path, "--inbox", house.inbox, "--yes")
    assert (again.returncode, "nothing new: the model in use answers like this" in again.stdout) == (0, True)
    assert sha256(Path(now["file"]).read_bytes()).hexdigest() == now["sha256"]


def test_an_inbox_of_which_nobody_said_anything_has_nothing_new_and_no_photo_is_read(
    house: House, tmp_path: Path, root: Path
) -> None:
    house.file("a.jpg")
    done = _learn(root, tmp_path, "--inbox", house.inbox, "--auto")
    assert (done.returncode, done.stdout) == (
        0,
        "Nobody has said anything yet. Move a photo that was filed wrongly to the folder of its class.\n",
    )


def test_labels_that_harm_are_refused_with_exit_3_and_nothing_is_written(
    shared: Path, tmp_path: Path, root: Path
) -> None:
    sea = sorted((shared / "scenes" / "train" / "sea").glob("*.jpg"))[:60]
    (tmp_path / "labels.jsonl").write_text("".join(f"{line(path, 'glacier')}\n" for path in sea))
    words = ("--labels", tmp_path / "labels.jsonl", "--base", SHIPPED_MODEL, "--output", tmp_path / "new.onnx")
    done = _learn(root, tmp_path, *words, "--json", "--report", tmp_path / "report")
    assert done.returncode == 3, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["verdict"], facts["why"], facts["is_new"]) == ("refused", "a class", False)
    assert not (tmp_path / "new.onnx").exists()
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<b>refused: the new model would do harm" in page
    assert '<th scope="row">the gate: sea</th>' in page


def test_labels_and_history_of_a_service_that_is_not_there_are_refused_by_its_name() -> None:
    for words in (("labels", "export", "-"), ("history",)):
        done = ask(*words, "--for", "no-such-service")
        assert done.exit_code == 1
        assert "no ledger of a service no-such-service" in done.output
        assert ask(*words, "--for", "a", "--inbox", "b").exit_code == 2


def test_the_gate_takes_what_an_audit_knows_and_asks_about_the_rest(tmp_path: Path) -> None:
    lines = [
        {"sha256": f"{number:064x}", "place": f"/{number}.jpg", "said": None, "audited": audited}
        for number, audited in enumerate(("sea", "_other", "a class of before", None))
    ]
    file = tmp_path / "filed.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    said = [answer_about(lambda *_: "asked", one, ("sea", "street")) for one in read_filed(file)]
    assert said == ["sea", "_other", "asked", "asked"]


def test_the_report_shows_what_audits_found(house: House, tmp_path: Path, root: Path) -> None:
    for number in range(4):
        house.file(f"{number}.jpg", label="street", model=sha256(SHIPPED_MODEL.read_bytes()).hexdigest())
    assert ask("audit", "--export", tmp_path / "to-answer").exit_code == 0
    table = tmp_path / "to-answer" / "answers.csv"
    head, *names = table.read_text().splitlines()
    said = ["street", "street", "street", "sea"]
    table.write_text("\n".join([head, *(f"{name}{one}" for name, one in zip(names, said, strict=True))]))
    assert ask("labels", "import", table, "--yes").exit_code == 0
    words = ("--inbox", house.inbox, "--dry-run", "--rename", "sea=coast", "--report", tmp_path / "report")
    done = _learn(root, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report" / "report.html").read_text()
    assert ", in use</th>" in page
    assert '<td class="number">4</td><td class="number">75' in page
