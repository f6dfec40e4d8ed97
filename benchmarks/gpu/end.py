"""`sort` and `watch` from end to end, beside what the cores can decode at most."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu import smi
from benchmarks.gpu.bench import Bench, shipped
from benchmarks.gpu.photos import fill_large, fill_small, found, make_large
from benchmarks.gpu.serve import count, service
from contract.geometry import Geometry, to_input
from contract.session import read_contract

SIZES = {"cuda": (12_000, 640), "cpu": (400, 24)}
DISTINCT = {"cuda": 40, "cpu": 4}


def work(path: Path, geometry: Geometry) -> None:
    """Read, hash, decode: what the cores must do for each photo on CUDA too."""
    data = path.read_bytes()
    hashlib.sha256(data).hexdigest()
    to_input(data, geometry)


def some(paths: list[Path], geometry: Geometry) -> int:
    """Several, for a process of a pool."""
    for path in paths:
        work(path, geometry)
    return len(paths)


def bound(folder: Path, *, processes: bool) -> dict[str, Any]:
    """Photos a second of reading, hashing and decoding on all cores, by threads of one process or by processes."""
    geometry = read_contract(shipped()).geometry
    paths = sorted(folder.iterdir())
    cores = len(os.sched_getaffinity(0))
    parts = [paths[first :: 4 * cores] for first in range(4 * cores)]
    parts = [part for part in parts if part]
    with (ProcessPoolExecutor if processes else ThreadPoolExecutor)(cores) as pool:
        list(pool.map(some, [paths[:1]] * cores, [geometry] * cores))  # start them
        start = time.perf_counter()
        done = sum(pool.map(some, parts, [geometry] * len(parts)))
        took_s = time.perf_counter() - start
    return {"photos": done, "s": round(took_s, 2), "photos_s": round(done / took_s)}


def sorted_(bench: Bench, folder: Path, *options: str) -> dict[str, Any]:
    """`sort` over a backlog: photos per second from its ready line to its end, and with its start; the GPU's use."""
    photos = count(folder / "inbox")
    with smi.Watch() if bench.cuda else nullcontext() as watch, service(bench, folder, *options, verb="sort") as one:
        ready_s, event = one.ready(90)
        at_s, _ = one.until("summary", 120)
        code = one.wait(30)
    took_s = at_s - one.began_s - ready_s
    told = {
        "photos": photos, "filed": count(one.output), "left": count(one.inbox), "exit": code,
        "provider": event["provider"], "ready_s": round(ready_s, 2), "s": round(took_s, 2),
        "photos_s": round(photos / took_s), "with_start_photos_s": round(photos / (took_s + ready_s)),
    }  # fmt: skip
    if isinstance(watch, smi.Watch):
        told["gpu_percent"] = watch.busy_percent(at_s - took_s, at_s)
    return told


def sorted_with(bench: Bench, way: str, folder: Path) -> dict[str, Any]:
    """The same with readers that decode in threads, or in processes."""
    return sorted_(bench, folder, "--quiet", "--decode-in", way)


def latency(bench: Bench, times: int) -> dict[str, Any]:
    """Milliseconds from a lone photo's drop until it is seen under its class, one at a time, a moment apart."""
    folder = bench.folder / f"latency-{time.monotonic_ns()}"
    fill_small(bench.photos, folder / "waiting", times)
    took: list[float] = []
    with service(bench, folder, "--quiet") as one:
        one.ready(90)
        for path in sorted((folder / "waiting").iterdir()):
            time.sleep(0.02)
            took.append(1e3 * _dropped(path, one.inbox / path.name, one.output))
        one.end()
    return {
        "photos": len(took), "p50": round(float(np.quantile(took, 0.5)), 2),
        "p95": round(float(np.quantile(took, 0.95)), 2), "p99": round(float(np.quantile(took, 0.99)), 2),
        "max": round(max(took), 2),
    }  # fmt: skip


def _dropped(path: Path, place: Path, output: Path) -> float:
    """Seconds until a photo has left for one of the class folders."""
    name = place.name
    start = time.perf_counter()
    path.rename(place)
    while time.perf_counter() - start < 10:
        if not place.exists() and any((folder / name).exists() for folder in output.iterdir() if folder.is_dir()):
            return time.perf_counter() - start
    raise RuntimeError(f"{name} was not filed within 10 s")


def run(bench: Bench) -> None:
    """The part `end`. Photos are made again for each run, for a run moves them away."""
    small, large = SIZES[bench.device]
    made = bench.folder / "made"
    on_cpu = replace(bench, device="cpu")

    def backlog(kind: str) -> Path:
        folder = bench.folder / f"{kind}-{time.monotonic_ns()}"
        if kind == "small":
            fill_small(bench.photos, folder / "inbox", small)
        else:
            fill_large(sorted(made.iterdir()), folder / "inbox", large)
        return folder

    def timed(kind: str, measure: Callable[[Path], Any]) -> Callable[[], Any]:
        def once() -> Any:
            folder = backlog(kind)
            try:
                return measure(folder)
            finally:
                shutil.rmtree(folder)

        return once

    def making() -> Any:
        sizes = [path.stat().st_size / 1e6 for path in make_large(bench.photos, made, DISTINCT[bench.device])]
        one = sum(path.stat().st_size for path in found(bench.photos, 1000)) / min(1000, len(found(bench.photos, 1000)))
        return {"large_mb": round(float(np.mean(sizes)), 2), "small_kb": round(one / 1e3, 1)}

    measures: dict[str, Callable[[Path], Any]] = {
        "bound, threads": lambda folder: bound(folder / "inbox", processes=False),
        "bound, processes": lambda folder: bound(folder / "inbox", processes=True),
        f"sort on {bench.device}, threads": partial(sorted_with, bench, "threads"),
        f"sort on {bench.device}, processes": partial(sorted_with, bench, "processes"),
        "sort on the CPU, threads": partial(sorted_with, on_cpu, "threads"),
        "sort on the CPU, processes": partial(sorted_with, on_cpu, "processes"),
    }

    def with_workers(many: int) -> Callable[[Path], Any]:
        return lambda folder: sorted_(bench, folder, "--quiet", "--workers", str(many))

    bench.each([("photos made", making)])
    for kind in ("small", "large"):
        bench.each((f"{kind}: {name}", timed(kind, measure)) for name, measure in measures.items())
    bench.each([(f"lone photo on {bench.device}, ms", lambda: latency(bench, 200 if bench.cuda else 20))])
    for many in {"cuda": (8, 24, 32), "cpu": (1,)}[bench.device]:
        bench.each([(f"small: {many} workers", timed("small", with_workers(many)))])
    bench.each([("lone photo on the CPU, ms", lambda: latency(on_cpu, 60 if bench.cuda else 20))])
