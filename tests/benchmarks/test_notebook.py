"""What the daemon is compared with, Keras as notebooks use it, really classifies and files every photo."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from common.drawing import KINDS, draw_scene

pytestmark = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed here")


@pytest.mark.parametrize("how", ["predict", "dataset"])
def test_keras_files_each_photo_under_one_class(how: str, root: Path, tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for number, kind in enumerate(KINDS):
        draw_scene(kind, number, (60, 40)).save(inbox / f"{number}.jpg")
    words = ["-m", "benchmarks.throughput.notebook", how, str(inbox), str(output), "random", "a,b", "32"]
    done = subprocess.run([sys.executable, *words], cwd=root, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["seconds"] > 0
    filed = sorted(path.name for path in output.glob("[ab]/*.jpg"))
    assert filed == sorted(path.name for path in inbox.iterdir())
