"""The benchmark of the GPU path rehearses on a machine without one, part by part, and keeps each figure at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.daemon.support import ROOT, plain, write


def test_a_part_runs_without_a_gpu_in_a_process_of_its_own_and_says_what_it_could_not_do(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", plain("red"))
    out = tmp_path / "gpu.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "all", "--only", "nodes,buckets", "--photos", str(tmp_path),
         "--json", str(out), "--device", "cpu", "--seconds", "6"],
        capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text())
    assert told["nodes"]["as shipped: nodes"]["convolutions"] == {"CPUExecutionProvider": 65}
    assert told["buckets"]["cuda graph"].startswith("skipped: ")
