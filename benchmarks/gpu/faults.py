"""A context that is really poisoned in the running daemon, and a GPU whose memory others have taken."""

import hashlib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gpu import smi
from benchmarks.gpu.bench import ROOT, Bench, SkippedError, environment
from benchmarks.gpu.photos import fill_small
from benchmarks.gpu.serve import LateError, Service, count, service

ARMED = """
import sys
if {verb!r} in sys.orig_argv and "phototriage" in sys.orig_argv:
    import runpy
    from pathlib import Path
    runpy.run_path({driver!r})["arm"](Path({folder!r}))
"""


def contents(*folders: Path) -> Counter[str]:
    """Photos below folders, by content."""
    return Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in folder.rglob("*.jpg")
        if path.is_file()
    )


@contextmanager
def armed(bench: Bench, name: str, photos: int) -> Iterator[tuple[Service, Path, Counter[str]]]:
    """A daemon over a backlog that poisons itself when a file called `poison` appears in the folder."""
    folder = bench.folder / name
    fill_small(bench.photos, folder / "inbox", photos)
    before = contents(folder / "inbox")
    site = folder / "site"
    site.mkdir()
    driver = str(Path(__file__).with_name("driver.py"))
    (site / "sitecustomize.py").write_text(ARMED.format(verb="watch", driver=driver, folder=str(folder)))
    one = Service(bench, folder, "--quiet", env=with_site(bench, site))
    try:
        yield one, folder, before
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.wait(10)


def with_site(bench: Bench, site: Path) -> dict[str, str]:
    """Variables that put a folder in front of the Python path; without CUDA, any library makes the mechanism fire."""
    more = {} if bench.cuda else {"BENCH_LIBRARY": "onnxruntime"}
    return {"PYTHONPATH": f"{site}:{environment()['PYTHONPATH']}", **more}


def poisoned(bench: Bench) -> dict[str, Any]:
    """One poisoning in the midst of a backlog: time to ready again, and whether each photo was filed once."""
    photos = 12_000 if bench.cuda else 400
    with armed(bench, "once", photos) as (one, folder, before):
        one.ready(90)
        held = {"gpu_mb": smi.used_mb(), "descriptors": descriptors(one.process.pid)}
        until(lambda: count(one.output) > photos / 20, 30, "the first photos")
        (folder / "poison").write_text("once")
        start = time.monotonic()
        told: dict[str, Any] = {}
        try:
            at_s, event = one.until("ready", 45 if bench.cuda else 3)
            told = {
                "ready_again_s": round(at_s - start, 2),
                "provider": event["provider"],
                "filed_before": count(one.output),
            }
        except LateError as error:
            told = {"not_ready_again": str(error)[:300]}
        left = settle(one, 40)
        told |= {"filed": count(one.output), "left": left, "each_once": contents(one.output, one.inbox) == before}
        told |= {"before": held, "after": {"gpu_mb": smi.used_mb(), "descriptors": descriptors(one.process.pid)}}
        told |= {"exit": one.end(), "said": one.said(900), "driver": log(folder)}
    return told  # fmt: skip


def descriptors(pid: int) -> dict[str, int]:
    """Open files of a process, and those among them that are devices of NVIDIA's: none may outlive a start anew."""
    targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {"all": len(targets), "nvidia": sum(target.startswith("/dev/nvidia") for target in targets)}


def always(bench: Bench) -> dict[str, Any]:
    """Every new process is poisoned too: it ends for the supervisor after some, and no photo is lost."""
    bench.need_cuda()
    with armed(bench, "always", 2000) as (one, folder, before):
        one.ready(90)
        (folder / "poison").write_text("always")
        start = time.monotonic()
        end_s = start + 60
        number = 0
        while one.process.poll() is None and time.monotonic() < end_s:
            fill_one(bench, one.inbox, number, before)  # so that there is always something to do
            number += 1
            time.sleep(0.2)
        told: dict[str, Any] = {"exit": one.process.poll(), "ended_after_s": round(time.monotonic() - start, 1)}
        told |= {"none_lost": contents(one.output, one.inbox) == before, "said": one.said(900), "driver": log(folder)}
    return told


def fill_one(bench: Bench, inbox: Path, number: int, known: Counter[str]) -> None:
    """One more photo, unlike all others."""
    source = next(bench.photos.rglob("*.jpg"))
    data = source.read_bytes() + f"more {number}".encode()
    whole = inbox.parent / "more.jpg"
    whole.write_bytes(data)
    known[hashlib.sha256(data).hexdigest()] += 1
    whole.rename(inbox / f"more-{number}.jpg")


def full(bench: Bench, leave_mb: int) -> dict[str, Any]:
    """Another process leaves so much of the GPU's memory: what becomes of a backlog."""
    bench.need_cuda()
    with hog(leave_mb) as free_mb:
        return {"free_mb": free_mb, **sorting(bench, f"full-{leave_mb}")}


def limited(bench: Bench, limit_mb: int) -> dict[str, Any]:
    """The same under the product's own limit."""
    return sorting(bench, f"limit-{limit_mb}", "--gpu-memory", str(limit_mb))


def sorting(bench: Bench, name: str, *options: str) -> dict[str, Any]:
    """A backlog through `sort`: what was filed, how it ended, what it said."""
    folder = bench.folder / name
    fill_small(bench.photos, folder / "inbox", 600 if bench.cuda else 60)
    start = time.monotonic()
    with service(bench, folder, "--quiet", *options, verb="sort") as one:
        try:
            code = one.wait(25)
        except subprocess.TimeoutExpired:
            one.process.terminate()
            code = -1
        took_s = round(time.monotonic() - start, 1)
        failed = count(one.output / "_failed") if (one.output / "_failed").exists() else 0
        filed, left = count(one.output), count(one.inbox)
        return {"exit": code, "filed": filed, "left": left, "failed": failed, "s": took_s, "said": one.said(600)}


def released(bench: Bench, leave_mb: int) -> dict[str, Any]:
    """`watch` starts with little memory; then the other process gives it back: do batches grow?"""
    bench.need_cuda()
    folder = bench.folder / f"released-{leave_mb}"
    fill_small(bench.photos, folder / "inbox", 400)
    with service(bench, folder, "--quiet") as one:
        with hog(leave_mb):
            one.ready(60)
            left = settle(one, 15)
        time.sleep(16)
        fill_small(bench.photos, folder / "inbox", 400)
        settle(one, 10)
        return {"left_while_short": left, "exit": one.end(), "said": one.said(900)}


@contextmanager
def hog(leave_mb: int) -> Iterator[int]:
    """Another process that holds the GPU's memory; yields what is free then, in MB."""
    words = [sys.executable, str(Path(__file__).with_name("driver.py")), "hog", str(leave_mb)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise SkippedError("the memory could not be taken")
        yield int(line)
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def settle(one: Service, seconds: float) -> int:
    """Wait until the inbox is empty; how many photos are left in it."""
    end_s = time.monotonic() + seconds
    while count(one.inbox) and time.monotonic() < end_s and one.process.poll() is None:
        time.sleep(0.05)
    return count(one.inbox)


def until(true: Any, seconds: float, what: str) -> None:
    end_s = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end_s:
            raise LateError(f"in vain waited for {what}")
        time.sleep(0.005)


def log(folder: Path) -> str:
    """What the driver said of each poisoning."""
    file = folder / "poisoned"
    return file.read_text().strip()[-400:] if file.exists() else "never fired"


def run(bench: Bench) -> None:
    """The part `faults`."""
    bench.each(
        [
            *((f"all but {mb} MB taken", lambda mb=mb: full(bench, mb)) for mb in (1000, 700)),
            ("--gpu-memory 200", lambda: limited(bench, 200)),
            ("poisoned once", lambda: poisoned(bench)),
            ("memory given back", lambda: released(bench, 800)),
            ("all but 500 MB taken", lambda: full(bench, 500)),
            ("--gpu-memory 60", lambda: limited(bench, 60)),
            ("poisoned in every process", lambda: always(bench)),
        ]
    )
