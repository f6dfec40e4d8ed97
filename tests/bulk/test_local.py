"""The local engine: every photo has one row, whatever is killed, interrupted or full; and the same command goes on."""

import os
import resource
import select
import signal
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra bulk")

from bulk.results.schema import OF_THE_RUN
from bulk.results.store import ResultStore
from tests.bulk.plans import model, photos, plan
from tests.bulk.runs import DEADLY, Run, expected, rows
from tests.daemon.support import DEADLINE_S, environment, run, write

ENDLESS = DEADLY.replace("os.kill(os.getpid(), signal.SIGKILL)", "signal.pause()")
"""Another one: the decoder of these never ends."""

CURSED = """
import os, signal, sys
import bulk.judge.sources as sources
if "bulk.engines.worker" in sys.orig_argv:
    real = sources.source_of
    def source_of(case, folder):
        if case["path"].endswith("cursed.jpg"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(case, folder)
    sources.source_of = source_of
"""
"""A `sitecustomize` module: a worker dies when it comes to this photo, before that is in the decoder."""


def test_the_rows_are_those_of_one_judge_and_only_what_is_missing_is_judged_again(tmp_path: Path) -> None:
    plan_, results, file = plan(tmp_path / "plan", photos(tmp_path / "p", 40), 9), tmp_path / "r", model(tmp_path)
    words = ("bulk", "run", plan_, "--model", file, "--output", results, "--workers", "2")
    first = run(*words)
    assert first.returncode == 0, first.stderr
    assert "all 5 parts are judged; now 40 photos: 40 filed" in first.stdout
    whole = rows(results).drop(OF_THE_RUN)
    assert whole == expected(tmp_path, plan_)
    (results / "parts/part-000003.parquet").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in (results / "parts").iterdir()}
    again = run(*words)
    assert "all 5 parts are judged, 4 of them before; now 9 photos: 9 filed" in again.stdout
    assert {name: (results / "parts" / name).stat().st_mtime_ns for name in before} == before
    assert rows(results).drop(OF_THE_RUN) == whole
    other = run(*words, "--review-below", "0.5")
    assert other.returncode == 1
    assert "other rules" in other.stderr


def test_a_killed_worker_is_replaced_and_its_part_is_judged_once_more(tmp_path: Path) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 1200), 300), tmp_path / "r"
    running = Run(plan_, "--model", model(tmp_path), "--output", results, "--workers", "2")
    assert running.line()["event"] == "part"
    os.kill(running.workers()[0], signal.SIGKILL)
    said, err = running.end()
    assert running.process.returncode == 0, err
    assert "was killed" in err
    assert "is judged again" in err
    assert said[-1]["photos"] == 1200
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


def test_a_worker_ends_with_a_killed_driver_whatever_it_does_and_the_same_command_goes_on(tmp_path: Path) -> None:
    paths = photos(tmp_path / "p", 12)
    paths.insert(7, write(tmp_path / "p/endless.ppm", b"P3 1 1 255 1 2 3"))
    write(tmp_path / "sitecustomize.py", ENDLESS.encode())
    plan_, results = plan(tmp_path / "plan", paths, 5), tmp_path / "r"
    words = (plan_, "--model", model(tmp_path), "--output", results, "--workers", "1")
    running = Run(*words, PYTHONPATH=f"{tmp_path}{os.pathsep}{environment()['PYTHONPATH']}")
    running.line()
    (worker,) = (os.pidfd_open(pid) for pid in running.workers())
    running.process.kill()
    ended = select.select([worker], [], [], DEADLINE_S)[0]
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(worker, signal.SIGKILL)
    os.close(worker)
    assert ended, "the worker outlives its driver"
    running.end()
    assert len(ResultStore(results).done()) == 1
    again = run("bulk", "run", *words)
    assert "all 3 parts are judged, 1 of them before" in again.stdout
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


def test_an_interrupted_run_leaves_nothing_half_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 900), 150), tmp_path / "r"
    words = (plan_, "--model", model(tmp_path), "--output", results, "--workers", "2")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = Run(*words, TMPDIR=str(temporary))
    running.line()
    workers = running.workers()
    running.process.send_signal(signal.SIGINT)
    _, err = running.end()
    assert running.process.returncode == 130
    assert "The same command goes on" in err
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert not list(temporary.iterdir())
    assert not list((results / "parts").glob(".*"))
    done = len(ResultStore(results).done())
    assert 0 < done < 6
    again = run("bulk", "run", *words)
    assert f"all 6 parts are judged, {done} of them before" in again.stdout
    assert rows(results).drop(OF_THE_RUN) == expected(tmp_path, plan_)


def test_a_photo_that_kills_the_decoder_fails_and_takes_no_other_with_it(tmp_path: Path) -> None:
    paths = photos(tmp_path / "p", 12)
    paths.insert(5, write(tmp_path / "p/killer.ppm", b"P3 1 1 255 1 2 3"))
    write(tmp_path / "sitecustomize.py", DEADLY.encode())
    plan_, results = plan(tmp_path / "plan", paths, 7), tmp_path / "r"
    running = Run(
        plan_, "--model", model(tmp_path), "--output", results, "--workers", "1",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{environment()['PYTHONPATH']}",
    )  # fmt: skip
    said, err = running.end()
    assert running.process.returncode == 0, err
    assert (said[-1]["filed"], said[-1]["failed"]) == (12, 1)
    killer = rows(results).to_pylist()[5]
    assert killer["error"] == "corrupt: the child process that decoded it died of SIGKILL"


def test_a_part_that_always_ends_its_worker_is_named_and_all_others_are_judged(tmp_path: Path) -> None:
    paths = photos(tmp_path / "p", 8)
    paths.insert(1, write(tmp_path / "p/cursed.jpg", paths[0].read_bytes()))
    write(tmp_path / "sitecustomize.py", CURSED.encode())
    plan_, results = plan(tmp_path / "plan", paths, 3), tmp_path / "r"
    running = Run(
        plan_, "--model", model(tmp_path), "--output", results, "--workers", "2",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{environment()['PYTHONPATH']}",
    )  # fmt: skip
    _, err = running.end()
    assert running.process.returncode == 1
    assert "part-000000.parquet was judged 3 times" in err
    assert ResultStore(results).done() == {"part-000001.parquet", "part-000002.parquet"}


def test_the_first_part_is_published_before_any_other_is_read_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 6), 3), tmp_path / "r"
    write(plan_ / "parts/part-000001.parquet", b"damaged")
    done = run("bulk", "run", plan_, "--model", model(tmp_path), "--output", results, "--workers", "1")
    assert done.returncode == 1
    assert "part-000001.parquet" in done.stderr
    assert ResultStore(results).done() == {"part-000000.parquet"}


def test_a_full_disk_of_results_is_a_sentence_and_nothing_is_half_written(tmp_path: Path) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 60), 30), tmp_path / "r"

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = run(
        "bulk", "run", plan_, "--model", model(tmp_path), "--output", results, "--workers", "2",
        preexec_fn=no_large_files,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "the same command again" in done.stderr
    assert sorted(path.name for path in results.rglob("*")) == ["parts", "results.json"]


def test_a_model_that_cannot_be_used_is_said_once_and_leaves_no_results(tmp_path: Path) -> None:
    plan_, results = plan(tmp_path / "plan", photos(tmp_path / "p", 3), 3), tmp_path / "r"
    done = run("bulk", "run", plan_, "--model", write(tmp_path / "m.onnx", b"no model"), "--output", results)
    assert done.returncode == 1
    assert done.stderr.count("m.onnx") == 1
    assert not results.exists()
