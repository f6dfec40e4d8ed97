"""The engine of many machines: the rows of the local one, whatever dies, on a real cluster. Runs where Ray is there."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray comes with the extra bulk")

from benchmarks.bulk.nodes import TOKEN, RayNodes, kill_node
from bulk.engines.progress import Progress
from bulk.engines.ray_data import Heard
from bulk.errors import BulkError
from bulk.results.schema import OF_THE_RUN
from bulk.results.store import ResultStore
from tests.bulk.plans import model, photos, plan
from tests.bulk.runs import DEADLY, Run, expected, rows
from tests.daemon.support import DEADLINE_S, environment, run, write

WRONG_MODEL = """
import sys
from pathlib import Path
from bulk.engines.job import Job
from benchmarks.bulk.nodes import TOKEN, RayNodes, kill_node
from bulk.engines.progress import Progress
from bulk.engines.ray_data import run_ray
from bulk.judge.policy import Policy
from bulk.manifest.parts import open_plan
from bulk.results.store import ResultStore
of, file, results, address = sys.argv[1:]
opened = open_plan(Path(of))
job = Job(Path(of), opened.identity, results, Path(file), "0" * 64, Policy())
run_ray(job, opened.parts(), ResultStore(results), Progress(2, 0), address=address)
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    """A cluster of one node."""
    folder, modules = Path(tempfile.mkdtemp(prefix="ray")), tmp_path_factory.mktemp("modules")
    write(modules / "sitecustomize.py", DEADLY.encode())
    cluster = RayNodes(folder, environment(PYTHONPATH=f"{modules}{os.pathsep}{environment()['PYTHONPATH']}"))
    yield cluster
    cluster.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_rows_are_those_of_one_judge_and_engines_go_on_from_each_other(tmp_path: Path, nodes: RayNodes) -> None:
    plan_, results, file = plan(tmp_path / "plan", photos(tmp_path / "p", 40), 9), tmp_path / "r", model(tmp_path)
    words = ("bulk", "run", plan_, "--model", file, "--output", results)
    with_ray = ("--engine", "ray", "--address", nodes.address)
    first = run(*words, *with_ray, env=TOKEN)
    assert first.returncode == 0, first.stderr
    assert f"judging 5 parts on the Ray cluster at {nodes.address}, in 2 processes" in first.stderr
    assert "all 5 parts are judged; now 40 photos: 40 filed" in first.stdout
    whole = rows(results).drop(OF_THE_RUN)
    assert whole == expected(tmp_path, plan_)
    for number, engine in enumerate((("--workers", "1"), with_ray)):
        (results / f"parts/part-{number:06d}.parquet").unlink()
        again = run(*words, *engine, env=TOKEN)
        assert "all 5 parts are judged, 4 of them before; now 9 photos: 9 filed" in again.stdout
        assert rows(results).drop(OF_THE_RUN) == whole


def test_a_killed_actor_and_a_killed_worker_lose_nothing(tmp_path: Path, nodes: RayNodes) -> None:
    plan_, results, running = _begun(tmp_path, nodes, 1500, 150)
    first, second = workers(results)
    os.kill(parent(first), signal.SIGKILL)
    os.kill(second, signal.SIGKILL)
    said, err = running.end()
    assert running.process.returncode == 0, err
    assert "was killed" in err
    assert "is judged again" in err
    assert said[-1]["photos"] == 1500
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


def test_a_node_that_goes_dark_loses_nothing(tmp_path: Path, nodes: RayNodes) -> None:
    node = nodes.add()
    plan_, results, running = _begun(tmp_path, nodes, 1500, 100)
    kill_node(node)
    said, err = running.end()
    assert running.process.returncode == 0, err
    assert said[-1]["photos"] == 1500
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_driver_and_the_same_command_goes_on(
    tmp_path: Path, nodes: RayNodes, number: signal.Signals
) -> None:
    plan_, results, running = _begun(tmp_path, nodes, 1500, 150)
    judging = [os.pidfd_open(pid) for pid in workers(results)]
    assert judging
    running.process.send_signal(number)
    _, err = running.end()
    for worker in judging:
        ended = select.select([worker], [], [], DEADLINE_S)[0]
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        os.close(worker)
        assert ended, "a worker outlives its driver"
    if number == signal.SIGINT:
        assert running.process.returncode == 130
        assert "The same command goes on" in err
    done = len(ResultStore(results).done())
    assert 0 < done < 10
    again = run(
        "bulk", "run", plan_, "--model", model(tmp_path), "--output", results, "--engine", "ray",
        "--address", nodes.address, env=TOKEN,
    )  # fmt: skip
    assert f"all 10 parts are judged, {done} of them before" in again.stdout
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


def test_a_photo_that_kills_the_decoder_fails_and_takes_no_other_with_it(tmp_path: Path, nodes: RayNodes) -> None:
    paths = photos(tmp_path / "p", 12)
    paths.insert(5, write(tmp_path / "p/killer.ppm", b"P3 1 1 255 1 2 3"))
    plan_, results = plan(tmp_path / "plan", paths, 7), tmp_path / "r"
    words = ("--model", model(tmp_path), "--output", results, "--engine", "ray", "--address", nodes.address)
    done = run("bulk", "run", plan_, *words, env=TOKEN)
    assert done.returncode == 0, done.stderr
    assert "now 13 photos: 12 filed, 0 review, 1 failed" in done.stdout
    assert rows(results).to_pylist()[5]["error"] == "corrupt: the child process that decoded it died of SIGKILL"


def test_another_model_on_a_node_or_in_the_results_is_refused(tmp_path: Path, nodes: RayNodes) -> None:
    plan_, results, file = plan(tmp_path / "plan", photos(tmp_path / "p", 6), 3), tmp_path / "r", model(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WRONG_MODEL, plan_, file, results, nodes.address],
        capture_output=True, text=True, timeout=DEADLINE_S, env=environment(**TOKEN),
    )  # fmt: skip
    assert "On the node" in done.stderr
    assert "The model file was replaced" in done.stderr
    assert not results.exists()
    ResultStore(results).begin({"plan": "plan", "model": "f" * 64, "rules": {}})
    other = run("bulk", "run", plan_, "--model", file, "--output", results, "--engine", "ray", "--address", "h:1")
    assert other.returncode == 1
    assert "holds results of another model" in other.stderr


def test_results_that_land_on_another_disk_are_seen_at_the_first_part(tmp_path: Path) -> None:
    heard = Heard(ResultStore(tmp_path / "r"), Progress(2, 0))
    with pytest.raises(BulkError, match="The node far has published"):
        heard.of({"host": "far", "part": "part-000000.parquet", "again": [], "counts": {"filed": 1}})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--engine", "ray"), "ray start --head"),
        (("--engine", "ray", "--address", "127.0.0.1:1"), "No Ray cluster answers at 127.0.0.1:1"),
        (("--engine", "ray", "--address", "auto"), "auto is no address"),
        (("--address", "127.0.0.1:1"), "add --engine ray"),
    ],
)
def test_without_a_cluster_the_command_says_how_to_start_one(
    tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 3), 3), tmp_path / "r"
    done = run("bulk", "run", plan_, "--model", model(tmp_path), "--output", results, *options)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert not results.exists()


def _begun(folder: Path, nodes: RayNodes, count: int, rows_per_part: int) -> tuple[Path, Path, Run]:
    """Begin a run, and wait for its first part."""
    plan_, results = plan(folder / "plan", photos(folder / "p", count), rows_per_part), folder / "r"
    words = ("--model", model(folder), "--output", results, "--engine", "ray", "--address", nodes.address)
    running = Run(plan_, *words, **TOKEN)
    assert running.line()["event"] == "part"
    return plan_, results, running


def workers(results: Path) -> list[int]:
    """Return the processes that judge into these results."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdecimal() else []
            if b"bulk.engines.worker" in words and any(os.fsencode(results) + b'"' in word for word in words):
                found.append(int(folder.name))
    return found


def parent(pid: int) -> int:
    """Return the process id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
