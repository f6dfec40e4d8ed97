"""`convert --check`: a finished file is proven again, without TensorFlow, and a wrong one is refused in a sentence."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.convert.calls import convert

Spoil = Callable[[Path, Path], Path]
"""(a published file, where to write) -> what is written."""


def test_a_published_file_passes_and_says_on_what(published: Path) -> None:
    result = convert("--check", published)
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "fp32, 6 classes" in rows["contract"]
    assert f"onnx {onnx.__version__} finds no error" in rows["checker"]
    assert "golden pictures replayed, max difference" in rows["cpu"]
    assert "computes on this machine what was verified" in result.stdout


def test_json_is_one_object_with_a_row_for_each_provider(published: Path) -> None:
    facts = json.loads(convert("--check", published, "--json").stdout)
    assert facts["model"] == str(published)
    assert facts["replays"][0]["provider"] == "cpu"
    assert facts["replays"][0]["difference"] <= facts["replays"][0]["tolerance"] == 1e-4
    assert len(facts["replays"]) == 2 or facts["note"], "CUDA is replayed, or it is said why not"


def altered(published: Path, output: Path) -> Path:
    model = onnx.load(published)
    weight = next(item for item in model.graph.initializer if item.name == "conv_3.1")
    values = onnx.numpy_helper.to_array(weight) * np.float32(1.5)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, output)
    return output


def without_contract(published: Path, output: Path) -> Path:
    model = onnx.load(published)
    del model.metadata_props[:]
    onnx.save(model, output)
    return output


def invalid(published: Path, output: Path) -> Path:
    """A graph that onnxruntime opens and that computes the same, but that breaks a rule of ONNX."""
    model = onnx.load(published)
    model.graph.name = ""
    onnx.save(model, output)
    return output


def missing(_published: Path, output: Path) -> Path:
    return output


def foreign(_published: Path, output: Path) -> Path:
    output.write_bytes(b"no model")
    return output


def cut_off(published: Path, output: Path) -> Path:
    output.write_bytes(published.read_bytes()[:-9_000])
    return output


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (altered, "does not compute what was verified"),
        (without_contract, "has no phototriage contract"),
        (invalid, "is not valid ONNX"),
        (missing, "cannot be read"),
        (foreign, "onnxruntime cannot open this model"),
        (cut_off, "onnxruntime cannot open this model"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(published: Path, tmp_path: Path, spoil: Spoil, because: str) -> None:
    result = convert("--check", spoil(published, tmp_path / "model.onnx"))
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("phototriage: ")
    assert because in result.stderr
    assert result.stderr.count("\n") == 1


def test_it_needs_neither_tensorflow_nor_onnx(published: Path, root: Path) -> None:
    probe = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'tensorflow', 'keras', 'onnx', 'tf2onnx'}:\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "u.find_spec = lambda name, *rest: None if name == 'onnx' else find(name, *rest)\n"
        f"sys.argv = ['phototriage', 'convert', '--check', {str(published)!r}]\n"
        "import phototriage; phototriage.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "skipped: onnx is not installed here" in done.stdout
