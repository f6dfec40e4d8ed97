"""`phototriage convert` as a user calls it: what it publishes, what it says, and what it refuses without a trace."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner, Result

from contract.metadata import METADATA_KEY
from contract.session import open_model
from convert.errors import OutputError
from convert.pipeline import publish
from phototriage import cli
from training.run import load_run

WriteRun = Callable[[Path], Path]
OLD = b"an older model"


def convert(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, arguments)])


def refused(output: Path, *arguments: str | Path, because: str) -> None:
    """Convert onto an older file, and see one sentence, exit 1, and that file alone as it was."""
    before = {path: path.read_bytes() for path in output.parent.iterdir()} if output.parent.is_dir() else {}
    result = convert(*arguments, "--output", output)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("phototriage: ")
    assert because in result.stderr
    assert result.stderr.count("\n") == 1
    after = {path: path.read_bytes() for path in output.parent.iterdir()} if output.parent.is_dir() else {}
    assert after == before


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An output where an older model stands, alone in its folder."""
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def test_published_file_carries_the_contract_of_the_run(converted: tuple[Path, Result], run_folder: Path) -> None:
    run, model = load_run(run_folder), open_model(converted[0], "cpu")
    contract = model.contract
    assert contract.labels == tuple(run.labels)
    assert contract.geometry == run.geometry
    assert contract.temperature == pytest.approx(run.temperature)
    assert dict(contract.thresholds) == dict(run.thresholds)
    assert contract.data["sha256"] == run.data_hash
    assert contract.precision == "fp32"
    assert contract.metrics["parity"]["max_difference"] < 1e-4
    assert {"python", "tensorflow", "keras", "tf2onnx", "onnx"} <= contract.made_by.keys()
    assert {case.source for case in contract.golden} == {"pattern", "encoded"}
    assert contract.tolerance["cpu"] == 1e-4


def test_published_file_is_the_clean_graph_with_the_names_of_the_contract(converted: tuple[Path, Result]) -> None:
    model = onnx.load(converted[0])
    assert len(model.graph.node) == 104
    assert [prop.key for prop in model.metadata_props] == [METADATA_KEY]
    session = ort.InferenceSession(converted[0], providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("images", "tensor(uint8)", ["batch", 64, 64, 3])
    ]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("probabilities", ["batch", 6])]


def test_published_file_answers_as_keras_on_pictures_of_neither_set(
    converted: tuple[Path, Result], run_folder: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    run = load_run(run_folder)
    logits = run.load_keras()(pixels, training=False).numpy().astype(np.float64) / run.temperature
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(open_model(converted[0], "cpu").run(pixels) - expected).max() < 1e-4


def test_it_says_what_it_did_and_what_to_type_next(converted: tuple[Path, Result]) -> None:
    output, result = converted
    steps = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert list(steps) == ["run", "export", "clean", "parity", "golden", "written", "Next:"]
    assert "52 Conv" in steps["export"]
    assert "104 nodes: 52 Conv, 35 Clip, 11 Add" in steps["clean"]
    assert "12 validation photos and 244 drawn pictures (validation photos: too few)" in steps["parity"]
    assert "in place of the older file" in steps["written"]
    assert steps["Next:"] == f"Next: phototriage sort --inbox INBOX --output SORTED --model {output}"
    assert result.stderr == ""


def test_a_refusal_is_one_sentence_without_the_chatter_of_libraries(
    run_folder: Path, tmp_path: Path, root: Path
) -> None:
    folder = copied(run_folder, tmp_path)
    (folder / "model.keras").write_bytes(b"damaged")
    command = [sys.executable, f"{root}/phototriage.py", "convert", f"{folder}", "--output", f"{tmp_path}/model.onnx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("phototriage: ")
    assert done.stderr.count("\n") == 1


def test_help_loads_nothing_heavy(root: Path) -> None:
    probe = (
        "import sys, phototriage as p\n"
        "p.cli(['convert', '--help'], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'onnxruntime', 'numpy'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


def test_nothing_else_is_left_beside_the_published_file(converted: tuple[Path, Result]) -> None:
    assert [path.name for path in converted[0].parent.iterdir()] == ["model.onnx"]


def test_json_is_one_object_and_the_same_run_gives_the_same_graph(
    converted: tuple[Path, Result], run_folder: Path, tmp_path: Path
) -> None:
    result = convert(run_folder, "--output", tmp_path / "again.onnx", "--json")
    facts = json.loads(result.stdout)
    assert facts["output"] == str(tmp_path / "again.onnx")
    assert facts["size_bytes"] == (tmp_path / "again.onnx").stat().st_size
    assert facts["nodes"]["Conv"] == 52
    assert facts["parity"]["max_difference"] < 1e-4
    assert facts["replaced"] is False
    assert (tmp_path / "again.onnx").read_bytes() == converted[0].read_bytes()


def copied(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def edited(run_folder: Path, tmp_path: Path, **changes: Any) -> Path:
    """A copy of the run whose run.json says something else."""
    folder = copied(run_folder, tmp_path)
    manifest = folder / "run.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
    return folder


def test_a_folder_that_is_no_run_is_refused(old: Path, tmp_path: Path) -> None:
    refused(old, tmp_path / "nowhere", because="nowhere")
    (tmp_path / "empty").mkdir()
    refused(old, tmp_path / "empty", because="empty")


def test_an_incomplete_run_is_refused(old: Path, run_folder: Path, tmp_path: Path) -> None:
    folder = copied(run_folder, tmp_path)
    (folder / "run.json").unlink()
    refused(old, folder, because="run.json")


def test_a_run_of_an_unknown_format_is_refused(old: Path, run_folder: Path, tmp_path: Path) -> None:
    refused(old, edited(run_folder, tmp_path, format=99), because="99")


def test_a_network_that_is_not_the_one_trained_is_refused(old: Path, run_folder: Path, tmp_path: Path) -> None:
    folder = copied(run_folder, tmp_path)
    with (folder / "model.keras").open("r+b") as file:
        file.seek(20_000)
        file.write(b"bit rot")
    refused(old, folder, because="model.keras")


@pytest.mark.parametrize("label", ["../../x", "_review", "a/b", "CON:"])
def test_labels_that_cannot_be_folders_are_refused(old: Path, run_folder: Path, tmp_path: Path, label: str) -> None:
    labels = list(load_run(run_folder).labels)
    refused(old, edited(run_folder, tmp_path, labels=[label, *labels[1:]]), because="cannot be the name of a folder")


def test_a_label_more_than_the_network_has_is_refused(old: Path, run_folder: Path, tmp_path: Path) -> None:
    labels = [*load_run(run_folder).labels, "zoo"]
    refused(old, edited(run_folder, tmp_path, labels=labels), because="(None, 7)")


def test_outputs_that_cannot_be_written_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    os.mkfifo(tmp_path / "pipe.onnx")
    refusals = {
        "folder.onnx": "is a folder",
        "photo.jpg": "does not end in .onnx",
        "pipe.onnx": "no regular file",
        "gone/model.onnx": "mkdir -p",
    }
    for name, because in refusals.items():
        result = convert(tmp_path / "no-run", "--output", tmp_path / name)
        assert (result.exit_code, because in result.stderr) == (1, True), result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.onnx", "photo.jpg", "pipe.onnx"]


def test_wrong_usage_exits_2() -> None:
    assert convert().exit_code == 2
    assert convert("run").exit_code == 2


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file past `size` bytes, as on a disk that fills up half-way."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_half_way_leaves_the_older_file_alone(old: Path) -> None:
    with largest_file(1_000_000), pytest.raises(OutputError, match=r"File too large.*unchanged"):
        publish(old, bytes(2_000_000))
    assert old.read_bytes() == OLD
    assert list(old.parent.iterdir()) == [old]


@contextmanager
def head_times(network: Any, factor: float) -> Iterator[None]:
    """Multiply the weights of the head, for the time of writing a run."""
    head = network.get_layer("logits")
    weights = head.get_weights()
    head.set_weights([values * np.float32(factor) for values in weights])
    try:
        yield
    finally:
        head.set_weights(weights)


@pytest.mark.system("mount", root=True)
def test_a_full_disk_leaves_the_older_file_alone(tmp_path: Path, run_folder: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", full], check=True)
    try:
        (full / "model.onnx").write_bytes(OLD)
        refused(full / "model.onnx", run_folder, because="could not be written (No space left on device")
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_network_that_answers_nonsense_does_not_get_past_the_gate(
    old: Path, write_run: WriteRun, network: Any, tmp_path: Path
) -> None:
    with head_times(network, np.nan):
        folder = write_run(tmp_path / "nan")
    refused(old, folder, because="no probabilities")


def test_a_network_without_any_clear_opinion_is_refused(
    old: Path, write_run: WriteRun, network: Any, tmp_path: Path
) -> None:
    with head_times(network, 0):
        folder = write_run(tmp_path / "blank")
    refused(old, folder, because="no clear opinion")
