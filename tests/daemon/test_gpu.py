"""On CUDA: buckets, batches that shrink and grow, a pause while nothing fits, a new process when the GPU is lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import GpuError, GpuLostError, GpuMemoryError, ModelError
from contract.batches import CUDA_BATCHES
from contract.geometry import Pixels, to_input
from daemon.classify.buckets import BUCKETS, GROW_AFTER_S, Buckets
from daemon.classify.classify import Answer, classify, warm
from daemon.classify.loaded_model import LoadedModel
from daemon.filing.filer import Filer
from daemon.intake.filters import PathFilter
from daemon.intake.intake import Intake
from daemon.models.active import ActiveModel
from daemon.photo import Outcome, Photo
from daemon.pipeline import Pipeline
from daemon.process.clock import Clock
from tests.colour_model import LABELS
from tests.daemon.gpu import ILLEGAL, Gpu, on_gpu, ready
from tests.daemon.support import (
    ROOT,
    HandClock,
    daemon,
    model,
    model_file,
    opened_guard,
    opened_ledger,
    plain,
    roots,
    rules,
    saying,
    tree,
    unique,
    wait_until,
    write,
)


def pictures(count: int) -> list[Pixels]:
    geometry = model().contract.geometry
    pixels = {colour: to_input(plain(colour), geometry) for colour in LABELS}
    return [pixels[LABELS[n % 3]] for n in range(count)]


def labels(answers: Iterable[Answer]) -> list[str]:
    return [LABELS[int(np.argmax(answer.scores))] for answer in answers if answer.scores is not None]


def buckets(said: list[str], clock: HandClock | None = None) -> Buckets:
    return Buckets(clock or HandClock(), saying(said))  # type: ignore[arg-type]


SHORT = "Available memory of 64 is smaller than requested bytes of 256"
TOO_MUCH = f"a batch of 64 photos does not fit on the GPU ({SHORT}); batches hold 8 for now"


@pytest.mark.parametrize(("count", "runs"), [(1, [8]), (8, [8]), (9, [64]), (64, [64])])
def test_a_batch_is_filled_up_to_its_bucket(count: int, runs: list[int]) -> None:
    gpu = Gpu()
    assert labels(classify(ready(gpu), pictures(count))) == [LABELS[n % 3] for n in range(count)]
    assert gpu.runs == runs


def test_nothing_but_a_bucket_runs_whoever_asks() -> None:
    gpu = Gpu()
    model = ready(gpu)
    answers = model.run(np.stack(pictures(131)))
    assert gpu.runs == [64, 64, 8]
    assert [LABELS[int(row.argmax())] for row in answers] == [LABELS[n % 3] for n in range(131)]


def test_each_bucket_has_a_session_of_its_own_which_is_opened_once() -> None:
    gpu = Gpu()
    model = ready(gpu)
    for count in (1, 64, 5, 1, 50, 8):
        assert len(labels(classify(model, pictures(count)))) == count
    assert gpu.opened == list(CUDA_BATCHES.values())
    assert sum(gpu.opened) == 1.0


def test_batches_become_smaller_until_they_fit_and_no_photo_is_left_out() -> None:
    gpu, said = Gpu(), list[str]()
    model, sizes = ready(gpu), buckets(said)
    gpu.fits = 8
    assert labels(classify(model, pictures(50), sizes)) == [LABELS[n % 3] for n in range(50)]
    assert gpu.runs == [8] * 7
    assert said == [TOO_MUCH]
    assert len(labels(classify(model, pictures(20), sizes))) == 20
    assert said == [TOO_MUCH]  # what does not fit is remembered, not tried each time


def test_batches_grow_back_when_there_is_memory_again() -> None:
    clock, said = HandClock(), list[str]()
    gpu = Gpu()
    model, sizes = ready(gpu), buckets(said, clock)
    gpu.fits = 8
    assert len(labels(classify(model, pictures(64), sizes))) == 64
    gpu.fits, gpu.runs = 64, []
    clock.turn(GROW_AFTER_S[0])
    assert len(labels(classify(model, pictures(64), sizes))) == 64
    assert set(gpu.runs) == {64}
    assert len(gpu.opened) == 3  # it had been given back
    assert said[-1] == "the GPU is given batches of 64 photos again"


def test_while_the_gpu_answers_smaller_batches_are_tried_whatever_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.gpu.free_memory_mb", lambda: 4000)
    gpu = Gpu()
    model, said = ready(gpu), list[str]()

    def break_large(size: int) -> None:
        gpu.fault = "CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED" if size == 64 else ""

    gpu.before = break_large
    assert labels(classify(model, pictures(30), buckets(said))) == [LABELS[n % 3] for n in range(30)]
    assert len(said) == 1


def test_where_the_gpu_is_lost_no_smaller_batch_is_tried() -> None:
    gpu, said = Gpu(), list[str]()
    model = ready(gpu)
    gpu.fault = ILLEGAL
    with pytest.raises(GpuLostError, match="CUDA failure 700: an illegal memory access was encountered"):
        list(classify(model, pictures(30), buckets(said)))
    assert said == []


def test_warming_makes_every_bucket_ready_and_leaves_out_those_that_do_not_fit() -> None:
    gpu, said = Gpu(fits=16), list[str]()
    sizes = buckets(said)
    warm(on_gpu(gpu), sizes)
    assert set(gpu.runs) == {8}
    assert said == [TOO_MUCH]
    assert sizes.largest() == 8
    roomy = Gpu()
    warm(on_gpu(roomy))
    assert set(roomy.runs) == set(BUCKETS)


def test_warming_proves_every_bucket_by_the_golden_sample() -> None:
    gpu = Gpu()
    model = on_gpu(gpu)
    gpu.wrong_at = 64
    with pytest.raises(ModelError, match="does not compute what was verified"):
        warm(model)


def test_warming_with_no_memory_at_all_is_an_error() -> None:
    with pytest.raises(GpuMemoryError):
        warm(on_gpu(Gpu(fits=0)), buckets([]))


class House:
    """A pipeline with such a GPU over two folders."""

    def __init__(self, folder: Path, gpu: Gpu, lost: list[tuple[str, bool]]) -> None:
        self.inbox, self.output = roots(folder)
        self.done: list[Photo] = []
        self.said: list[str] = []
        self._folder, self._gpu, self._lost = folder, gpu, lost

    @contextmanager
    def pipeline(self, *, watch: bool = False, cores: int = 2) -> Iterator[Pipeline]:
        clock = Clock()
        with opened_ledger(self._folder / "ledger") as ledger, opened_guard(self._folder / "decoding") as guard:
            intake = Intake(PathFilter(self.inbox), clock, saying(self.said), watch=watch)
            by = rules(provider="cuda")
            filer = Filer(self.output, ledger, clock, saying(self.said))

            def lost(error: GpuError, worked: bool) -> None:
                self._lost.append((str(error), worked))

            serving = LoadedModel(ready(self._gpu) if self._gpu.fits else on_gpu(self._gpu), by)
            yield Pipeline(
                intake, ActiveModel(serving), filer, guard, clock, cores=cores, done=self.done.extend,
                buckets=Buckets(clock, saying(self.said)), gpu_lost=lost,
            )  # fmt: skip


def test_while_not_one_photo_fits_the_daemon_pauses_and_goes_on_by_itself(tmp_path: Path) -> None:
    gpu = Gpu(fits=0)
    house = House(tmp_path, gpu, [])
    for number in range(20):
        write(house.inbox / f"{number}.jpg", unique("red", number))
    with house.pipeline(watch=True) as pipeline:
        thread = threading.Thread(target=pipeline.run)
        thread.start()
        try:
            wait_until(lambda: bool(house.done), "a photo that could not be classified")
            gpu.fits = 64
            wait_until(lambda: len(tree(house.output)) == 20, "all of them, filed")
        finally:
            pipeline.stop()
            thread.join()
    assert house.done[0].filing.outcome is Outcome.AGAIN
    assert house.done[0].filing.reason.startswith("The GPU's memory is short: ")
    assert any(line.startswith("filing resumed; it had been paused: The GPU's memory") for line in house.said)
    assert tree(house.inbox) == {}


def test_a_lost_gpu_leaves_the_photos_in_the_inbox_and_says_whether_it_had_worked(tmp_path: Path) -> None:
    gpu, lost = Gpu(), list[tuple[str, bool]]()
    house = House(tmp_path, gpu, lost)
    for number in range(200):
        write(house.inbox / f"{number}.jpg", unique("blue", number))

    def break_later(size: int) -> None:
        if sum(gpu.runs) >= 50:
            gpu.fault = ILLEGAL

    with house.pipeline() as pipeline:
        gpu.before = break_later
        with pytest.raises(GpuLostError):
            pipeline.run(once=True)
    assert [worked for _, worked in lost] == [True]
    assert "CUDA failure 700" in lost[0][0]
    assert 0 < len(tree(house.output)) < 200
    assert len(tree(house.output)) + len(tree(house.inbox)) == 200
    assert not (house.output / "_failed").exists()


def test_a_gpu_that_is_lost_while_the_daemon_stops_ends_it_and_starts_nothing_anew(tmp_path: Path) -> None:
    gpu, lost = Gpu(), list[tuple[str, bool]]()
    house = House(tmp_path, gpu, lost)
    write(house.inbox / "1.jpg", unique("red", 1))
    with house.pipeline() as pipeline:

        def stop(size: int) -> None:
            pipeline.stop()
            gpu.fault = ILLEGAL

        gpu.before = stop
        with pytest.raises(GpuLostError):
            pipeline.run(once=True)
    assert lost == []
    assert len(tree(house.inbox)) == 1


def test_the_next_photos_are_decoded_while_a_batch_runs(tmp_path: Path) -> None:
    gpu = Gpu()
    house = House(tmp_path, gpu, [])
    for number in range(6):
        write(house.inbox / f"{number}.jpg", unique("green", number))
    read: list[Path] = []
    with house.pipeline(cores=1) as pipeline:
        read_one = pipeline._read

        def noted(decode: Any, some: list[Photo]) -> None:
            read_one(decode, some)
            read.extend(photo.path for photo in some)

        def held(size: int) -> None:
            wait_until(lambda: len(read) == 6, "all six decoded while the first batch is held")

        pipeline._read = noted  # type: ignore[method-assign, assignment]
        gpu.before = held
        pipeline.run(once=True)
    assert len(gpu.runs) < 6  # what came meanwhile went together
    assert len(tree(house.output)) == 6


BROKEN_ONCE = """
import os, sys
from tests.daemon.gpu import ILLEGAL, Gpu, on_gpu
import daemon.models.fit
import daemon.service
import phototriage

gpu = Gpu()

def break_(size):
    started = int(os.environ.get("_PHOTOTRIAGE_RESTARTS", "0"))
    if {when} and (size > 1 or sum(gpu.runs) > 12):
        gpu.fault = ILLEGAL

daemon.service.warm = lambda model, buckets: setattr(gpu, "before", break_)
daemon.models.fit.open_model = lambda *_, **__: on_gpu(gpu)
sys.argv = ["phototriage", *sys.argv[1:]]
phototriage.main()
"""


def started(folder: Path, when: str) -> tuple[int, str, Path, Path]:
    """Run `sort` over 40 photos with a GPU that breaks; returns its code, its errors, inbox and output."""
    inbox, output = folder / "in", folder / "out"
    inbox.mkdir()
    for number in range(40):
        write(inbox / f"{number}.jpg", unique(LABELS[number % 3], number), mtime_s=1.0)
    script = write(folder / "broken.py", BROKEN_ONCE.format(when=when).encode())
    done = subprocess.run(
        [sys.executable, str(script), "sort", "--inbox", str(inbox), "--output", str(output), "--model",
         str(model_file(folder)), "--quiet"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stderr, inbox, output


def test_a_poisoned_context_makes_the_process_start_anew_and_every_photo_is_filed_once(tmp_path: Path) -> None:
    code, errors, inbox, output = started(tmp_path, "started == 0")
    assert code == 0, errors
    assert "CUDA failure 700" in errors
    assert "The daemon restarts" in errors
    assert tree(inbox) == {}
    assert sorted(Path(name).name for name in tree(output)) == sorted(f"{number}.jpg" for number in range(40))


def test_a_gpu_that_stays_broken_ends_the_daemon_and_every_photo_is_where_it_was(tmp_path: Path) -> None:
    code, errors, inbox, output = started(tmp_path, "True")
    assert code == 1
    assert errors.count("The daemon restarts") >= 3
    assert len(tree(inbox)) + len(tree(output)) == 40


def test_a_daemon_on_the_cpu_says_why_it_does_not_run_on_cuda(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as one:
        ready = one.ready()
        assert ready["provider"] == "cuda" or ready["note"]
        assert one.stop() == 0
