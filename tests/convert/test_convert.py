"""`phototriage convert` as a user calls it: what it publishes, and what it says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import Result

from contract.metadata import METADATA_KEY
from contract.session import open_model
from training.run import load_run


def test_published_file_carries_the_contract_of_the_run(converted: tuple[Path, Result], run_folder: Path) -> None:
    run, model = load_run(run_folder), open_model(converted[0], "cpu")
    contract = model.contract
    assert contract.labels == tuple(run.labels)
    assert contract.geometry == run.geometry
    assert contract.temperature == pytest.approx(run.temperature)
    assert dict(contract.thresholds) == dict(run.thresholds)
    assert contract.data["sha256"] == run.data_hash
    assert contract.data["photos"] == {"train": 60, "val": 48, "test": 0}
    assert contract.recipe == {"seed": 3, "initial_weights": {"name": "none"}}
    assert contract.made_by["trained with"] == "keras 3.15.0"
    assert contract.metrics["validation"] == {"accuracy": 1.0}, "the confusion matrix would outgrow the contract"
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
    assert [line for line in result.stdout.splitlines() if len(line) > 80 and "/" not in line] == []
    steps = {line.split()[0]: line for line in result.stdout.replace("\n" + " " * 9, " ").splitlines()}
    names = ["run", "export", "clean", "parity", "recorded", "familiar", "memory", "golden", "written", "Next:"]
    assert list(steps) == names
    assert "52 Conv" in steps["export"]
    assert "104 nodes: 52 Conv, 35 Clip, 11 Add" in steps["clean"]
    assert "48 validation photos and 208 drawn pictures (validation photos: too few)" in steps["parity"]
    assert "no hashes of the photos" in steps["recorded"]
    assert "replacing the older file" in steps["written"]
    assert steps["Next:"] == f"Next: phototriage sort --inbox INBOX --output SORTED --model {output}"
    assert result.stderr == ""


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
