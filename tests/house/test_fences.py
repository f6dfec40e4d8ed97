"""The fences between the rooms hold, and would notice a hole."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = ("common", "contract", "training", "convert", "learn", "daemon", "bulk", "collect")
# What the daemon's process must never hold; numpy, Pillow and ONNX Runtime are its own.
FOREIGN = {
    "tensorflow",
    "keras",
    "onnx",
    "tf2onnx",
    "sklearn",
    "training",
    "convert",
    "bulk",
    "collect",
    "pyarrow",
    "fsspec",
    "ray",
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path, root: Path) -> Path:
    """The rooms' code and the fences, to make holes in."""
    pytest.importorskip("importlinter", reason="import-linter comes with the dev extra")
    for room in ROOMS:
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("*.onnx", "__pycache__"))
    shutil.copy(root / "phototriage.py", tmp_path)
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_run_downhill(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("daemon", "import training"),
        ("daemon", "import tensorflow"),
        ("contract", "import onnx"),
        ("contract", "import daemon"),
        ("common", "import contract"),
        ("training", "import convert"),
        ("convert", "import daemon"),
        ("daemon", "import phototriage"),
        ("daemon", "import pyarrow"),
        ("learn", "import bulk"),
        ("bulk", "import learn"),
        ("collect", "import training"),
        ("bulk", "import collect"),
    ],
)
def test_a_hole_in_a_fence_is_noticed(copy: Path, room: str, line: str) -> None:
    (copy / room / "hole.py").write_text(f'"""A hole."""\n\n{line}\n', encoding="utf-8")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "1 broken" in done.stdout or "2 broken" in done.stdout


def test_the_daemon_at_work_holds_nothing_of_training_and_bulk(tmp_path: Path, root: Path) -> None:
    from common.drawing import KINDS, draw_scene

    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for kind in KINDS:
        draw_scene(kind, 1).save(inbox / f"{kind}.jpg")
    command = [sys.executable, "-X", "importtime", str(root / "phototriage.py"), "sort"]
    done = subprocess.run(
        [*command, "--inbox", str(inbox), "--output", str(output)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(output.rglob("*.jpg"))) == len(KINDS)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert {"daemon", "contract", "onnxruntime"} <= names
    assert not names & FOREIGN


def test_names_that_clash_or_shadow_are_not_used(root: Path) -> None:
    assert not list((root / "tests").rglob("__init__.py")), "an __init__.py here would shadow the room of that name"
    clashing = {"daemon.py", "runner.py", "pidfile.py"}
    found = {path.name for path in (root / "daemon").iterdir()}
    assert not clashing & found, "python-daemon, which has the same import name, owns these"
