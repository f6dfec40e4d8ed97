"""However the process that reads photos ends, it says so in one sentence and leaves all as it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.drawing import draw_scene
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from daemon.models.history import Entry, ModelEvent, note
from learn.job import Job
from tests.daemon.house import House, ask
from tests.learn.conftest import line

STAYS = "The model in use stays as it is."
Process = subprocess.Popen[str]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An inbox that the shipped model served, with labels of a new class; one of their photos never ends."""
    made = House(tmp_path / "house")
    model = open_model(SHIPPED_MODEL, "cpu")
    note(made.path, Entry(time.time(), SHIPPED_MODEL, ModelEvent.STARTED, model.sha256, model.contract.labels))
    (tmp_path / "drawn").mkdir()
    photos = [tmp_path / "drawn" / f"{seed}.png" for seed in range(12)]
    for seed, photo in enumerate(photos):
        draw_scene("street", seed, (80, 60)).save(photo)
    said = ask("labels", "add", "--class", "drawings", "--new", "--inbox", made.inbox, *photos)
    assert said.exit_code == 0, said.output
    photos[5].unlink()
    os.mkfifo(photos[5])
    return made


@pytest.fixture
def reading(house: House, tmp_path: Path, root: Path) -> Iterator[Process]:
    """A `phototriage learn` that reads photos, and does not end by itself."""
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, str(root / "phototriage.py"), "learn", "--inbox", str(house.inbox), "--yes"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        with (tmp_path / "drawn" / "5.png").open("wb"):  # waits until it is opened there
            yield process
        process.kill()


def _ended(process: Process) -> tuple[int, str]:
    _, error = process.communicate(timeout=60)
    return process.returncode, error


def _is_as_it_was(house: House, tmp_path: Path) -> bool:
    models = ask("model", "list", "--inbox", house.inbox, "--json").output.splitlines()
    left = [*(tmp_path / "tmp").iterdir(), *(house.path.parent / "models").glob("*"), *tmp_path.rglob("*.part")]
    return [json.loads(one)["what"] for one in models] == ["started"] and not left


def _children(process: Process) -> list[int]:
    return [*map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_while_photos_are_read_ends_both_processes_and_leaves_all_as_it_was(
    reading: Process, house: House, tmp_path: Path, number: int, code: int
) -> None:
    (child,) = _children(reading)
    reading.send_signal(number)
    assert _ended(reading) == (code, "")
    assert not Path(f"/proc/{child}").exists()
    assert _is_as_it_was(house, tmp_path)


def test_a_kill_of_the_process_that_reads_photos_is_one_sentence(
    reading: Process, house: House, tmp_path: Path
) -> None:
    (child,) = _children(reading)
    os.kill(child, signal.SIGKILL)
    code, error = _ended(reading)
    assert code == 1
    assert error == (
        "phototriage: The process that learns was ended by SIGKILL, as the kernel does when memory runs out."
        f" {STAYS} Learn again, with more memory or fewer photos.\n"
    )
    assert _is_as_it_was(house, tmp_path)


def test_a_process_without_enough_memory_for_the_fit_says_so_and_makes_no_model(tmp_path: Path, root: Path) -> None:
    lines = []
    for seed in range(10):
        draw_scene("street", seed, (80, 60)).save(tmp_path / f"{seed}.png")
        lines.append(line(tmp_path / f"{seed}.png", "drawings"))
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    new = tmp_path / "new.onnx"
    job = Job(
        new, tmp_path / "labels.jsonl", SHIPPED_MODEL, filed=None, names={}, yes=True, auto=True, dry_run=False,
        as_json=False, report=None,
    )  # fmt: skip
    program = "from learn import child; child.BASE_BYTES, child.THREAD_BYTES = 170 << 20, 0; child.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, job.to_json()], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr.startswith("phototriage: Learning needs more memory than the ")
    assert done.stderr.count("\n") == 1
    assert not new.exists()
