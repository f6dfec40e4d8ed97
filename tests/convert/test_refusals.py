"""What `phototriage convert` refuses: one sentence, exit 1, and no trace where an older model stands."""

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
import pytest

from contract.memory import memory_path
from convert.card import card
from convert.errors import OutputError
from convert.gate import Parity
from convert.memory import find_strangers
from convert.pipeline import publish
from convert.precision import PrecisionResult
from tests.convert.calls import convert, refused
from training.errors import DatasetError, RunError
from training.run import load_run

WriteRun = Callable[[Path], Path]
OLD = b"an older model"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An output where an older model stands, alone in its folder."""
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


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


@pytest.mark.parametrize("changes", [{"metrics": {"validation": 3}}, {"weights": "?", "made_by": [1]}])
def test_a_damaged_manifest_is_refused(run_folder: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    run = load_run(edited(run_folder, tmp_path, **changes))
    with pytest.raises(RunError, match="is damaged"):
        card(run, Parity("256 validation photos", 1e-6, 0), PrecisionResult("fp32", None, None, (), {}, None), None)


def test_outputs_that_cannot_be_written_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    os.mkfifo(tmp_path / "pipe.onnx")
    refusals = {
        "folder.onnx": "is a folder",
        "photo.jpg": "does not end in .onnx",
        "pipe.onnx": "not a regular file",
        "gone/model.onnx": "mkdir -p",
    }
    for name, because in refusals.items():
        result = convert(tmp_path / "no-run", "--output", tmp_path / name)
        assert (result.exit_code, because in result.stderr) == (1, True), result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.onnx", "photo.jpg", "pipe.onnx"]


def test_pictures_of_no_class_want_a_run_with_a_memory_and_a_folder_of_pictures(
    old: Path, run_folder: Path, tmp_path: Path
) -> None:
    result = convert(run_folder, "--output", old, "--foreign", tmp_path)
    assert (result.exit_code, "has no memory" in result.stderr) == (1, True), result.output
    run = load_run(edited(run_folder, tmp_path, memory={}))
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    with pytest.raises(DatasetError, match="holds no photos"):
        find_strangers(run, strangers)
    for number in range(450):
        (strangers / f"{number:03}.jpg").write_bytes(b"")
    found = [int(path.stem) for path in find_strangers(run, strangers)]
    assert (len(found), found[0], found[-1]) == (200, 0, 447)
    assert old.read_bytes() == OLD


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


def test_a_disk_that_fills_up_half_way_leaves_the_older_file_and_its_memory_alone(old: Path) -> None:
    memory_path(old).write_bytes(OLD)
    with largest_file(1_000_000), pytest.raises(OutputError, match=r"File too large.*unchanged"):
        publish(old, bytes(2_000_000), {memory_path(old): b"a newer memory"})
    assert (old.read_bytes(), memory_path(old).read_bytes()) == (OLD, OLD)
    assert set(old.parent.iterdir()) == {old, memory_path(old)}


@contextmanager
def diverged(network: Any) -> Iterator[None]:
    """Let the head's weights be NaN, as after a training gone wrong, for the time of writing a run."""
    head = network.get_layer("logits")
    weights = head.get_weights()
    head.set_weights([np.full_like(values, np.nan) for values in weights])
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
    with diverged(network):
        folder = write_run(tmp_path / "nan")
    refused(old, folder, because="not probabilities")


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
