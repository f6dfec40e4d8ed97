"""`phototriage inspect`: what stands in a model, for people and for scripts."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from common.errors import ContractError, ModelError
from contract.cli import inspect
from contract.familiarity import Familiarity
from contract.learned import Learned
from contract.memory import memory_path
from tests.colour_model import FAMILIAR, colour_model, contract_text, with_changes
from tests.contract.memories import small_memory


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "modèle.onnx"
    path.write_bytes(colour_model(("rouge", "forêt", "海"), thresholds={"海": 0.625}, metrics={"accuracy": 0.9375}))
    return path


def test_the_table_shows_what_a_reader_asks_first(model: Path) -> None:
    done = CliRunner().invoke(inspect, [str(model)], catch_exceptions=False)
    assert done.exit_code == 0
    together = "".join(done.output.split())
    pictures = len(json.loads(contract_text(model.read_bytes()))["golden"])
    for words in (
        *("rouge, forêt, 海", "32 x 32, exif-rgb-stretch-bilinear-1", "fp32", "海 0.625", "accuracy 0.938"),
        *(f"{pictures} pictures replayed", model.name, "--json"),
        hashlib.sha256(model.read_bytes()).hexdigest(),
    ):
        assert "".join(words.split()) in together


def test_json_is_the_contract_with_hash_and_path(model: Path) -> None:
    done = CliRunner().invoke(inspect, [str(model), "--json"], catch_exceptions=False)
    facts = json.loads(done.output)
    assert facts.pop("sha256") == hashlib.sha256(model.read_bytes()).hexdigest()
    assert facts.pop("path") == str(model)
    assert facts == json.loads(contract_text(model.read_bytes()))


def test_terminal_commands_in_a_model_never_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_changes(colour_model(), data={"name": "\x1b]0;owned\x07\x1b[2J", "\x9b31m": "[red]x[/red]"}))
    for arguments in ([str(path)], [str(path), "--json"]):
        output = CliRunner().invoke(inspect, arguments, catch_exceptions=False).output
        assert "\x1b" not in output
        assert "\x07" not in output
    assert "[red]x[/red]" in CliRunner().invoke(inspect, [str(path)]).output


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.onnx"))
    path.write_bytes(colour_model())
    for arguments in ([str(path)], [str(path), "--json"]):
        done = CliRunner().invoke(inspect, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        assert "xff" in "".join(done.output.split())


def test_a_model_that_breaks_its_contract_or_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_changes(colour_model(), labels=["../../x", "b", "c"]))
    assert isinstance(CliRunner().invoke(inspect, [str(path)]).exception, ContractError)
    assert isinstance(CliRunner().invoke(inspect, [str(tmp_path / "missing")]).exception, ModelError)


def command(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-X", "importtime", "-m", "phototriage", "inspect", *arguments]
    return subprocess.run(program, cwd=root, capture_output=True, text=True)


def test_the_command_works_from_the_front_door_without_onnx_or_tensorflow(model: Path, root: Path) -> None:
    done = command(root, str(model), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == ["rouge", "forêt", "海"]
    imported = {line.rsplit("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "onnxruntime" in imported
    assert not imported & {"onnx", "tensorflow", "keras", "training", "convert", "daemon"}


def test_the_command_says_one_sentence_and_exits_1_on_a_bad_model(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    done = command(root, str(path))
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(said) == 1
    assert said[0].startswith("phototriage: ")


def test_the_shipped_model_is_shown_within_80_columns() -> None:
    output = CliRunner().invoke(inspect, [], catch_exceptions=False).output
    assert [line for line in output.splitlines() if len(line) > 80 and not line.startswith("model ")] == []


def test_accuracies_are_shown_with_their_intervals_and_classes_of_the_test_photos_as_a_table(tmp_path: Path) -> None:
    classes = [{"label": name, "precision": 0.5, "recall": 0.25} for name in ("red", "green", "blue")]
    path = tmp_path / "model.onnx"
    path.write_bytes(colour_model(metrics={"test": {"accuracy": 0.75, "interval": [0.5, 0.875], "classes": classes}}))
    output = CliRunner().invoke(inspect, [str(path)], catch_exceptions=False).output
    assert "accuracy 0.750 test (0.500 to 0.875)" in " ".join(output.split())
    assert "{" not in output
    assert [line.split() for line in output.splitlines() if line.startswith("green")] == [["green", "0.5", "0.25"]]


@pytest.mark.parametrize(("familiarity", "said"), [(FAMILIAR, "at most 3.0% of good photos"), (None, "not known")])
def test_it_says_in_a_sentence_what_happens_to_photos_of_no_class(
    tmp_path: Path, familiarity: Familiarity | None, said: str
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(colour_model(familiarity=familiarity))
    shown = " ".join(CliRunner().invoke(inspect, [str(file)]).output.split())
    assert said in shown


def test_it_says_whether_the_memory_lies_beside_the_model_and_what_it_was_learnt_from(tmp_path: Path) -> None:
    file, data = tmp_path / "model.onnx", small_memory().to_bytes()
    facts = small_memory().facts(hashlib.sha256(data).hexdigest())
    learned = Learned("cd" * 32, 45, "2026-11-30T12:00:00+00:00", "shown to help", ("blue",))

    def shown() -> str:
        return " ".join(CliRunner().invoke(inspect, [str(file)], catch_exceptions=False).output.split())

    file.write_bytes(colour_model())
    assert "memory none" in shown()
    assert "learned" not in shown()
    file.write_bytes(colour_model(memory=facts, learned=learned))
    assert "model.memory, missing: 5 photos learnt, 4 new to the head, 2 of no class" in shown()
    assert (
        "from cdcdcdcdcdcd, 45 labels, at 2026-11-30T12:00:00+00:00; the gate says: shown to help, new: blue" in shown()
    )
    memory_path(file).write_bytes(data)
    assert "model.memory, whole: 5" in shown()
    memory_path(file).write_bytes(data[:-1])
    assert "is damaged or belongs to another model" in shown()
    as_json = json.loads(CliRunner().invoke(inspect, [str(file), "--json"]).output)
    assert as_json["memory"] == facts.to_value()
    assert "is damaged" in as_json["memory_file"]
    assert as_json["learned"]["root"] == "cd" * 32
