"""Time to open, to warm each bucket, to the first batch, to ready; and what it takes of the GPU's memory."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu import smi
from benchmarks.gpu.bench import ROOT, Bench, environment
from benchmarks.gpu.serve import service

# In a process of its own each time: what a first session costs is paid once in a process.
OPENING = """
import json, sys, time
t = [time.perf_counter()]
def lap(): t.append(time.perf_counter()); return round(1e3 * (t[-1] - t[-2]), 1)
told = {}
import numpy as np
import onnxruntime as ort
told["import"] = lap()
from contract.gpu import preload_cuda
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
device, limit, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if device == "cuda":
    told["missing"] = preload_cuda()
    told["preload"] = lap()
model = open_model(SHIPPED_MODEL, device, gpu_memory_mb=limit)
told["open_and_replay"] = lap()
side = model.contract.geometry.size_px
def images(n): return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), np.uint8)
if how == "warmed":
    from daemon.classify.buckets import Buckets
    from daemon.classify.classify import warm
    said = []
    sizes = Buckets(say=lambda sentence, *_: said.append(sentence))
    warm(model, sizes)
    told["warm"] = lap()
    told["largest"], told["said"] = sizes.largest(), said
    for n in (1, 64, 8, 1, 8, 64) if sizes.largest() == 64 else (1,):
        some = images(n); lap(); model.run(some); told.setdefault(f"then_{n}", []).append(lap())
else:
    for n in (64, 1) if device == "cuda" else (1,):
        some = images(n); lap(); model.run(some); told[f"cold_{n}"] = lap()
from benchmarks.gpu.smi import used_mb
told["gpu_mb_all"] = used_mb()
told["rss_mb"] = next(int(l.split()[1]) >> 10 for l in open("/proc/self/status") if l.startswith("VmRSS"))
print(json.dumps(told))
"""


def opening(bench: Bench, limit_mb: int, how: str) -> dict[str, Any]:
    """Milliseconds of each step in a fresh process, and MB of the GPU in use, less what was before."""
    before = smi.used_mb()
    done = subprocess.run(
        [sys.executable, "-c", OPENING, bench.device, str(limit_mb), how],
        capture_output=True, text=True, timeout=60, env=environment(), cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    whole = told.pop("gpu_mb_all")
    if whole is not None and before is not None:
        told["gpu_mb"] = whole - before
    return told


def ready(bench: Bench, *options: str) -> dict[str, Any]:
    """Seconds from the start of `watch` to its ready line, twice, and its memory."""
    took, told = [], {}
    for number in range(2):
        before = smi.used_mb()
        with service(bench, bench.folder / f"ready-{number}-{len(options)}-{time.monotonic_ns()}", *options) as one:
            seconds, event = one.ready()
            took.append(round(seconds, 2))
            now = smi.used_mb()
            told = {"provider": event["provider"], "note": event["note"], "rss_mb": rss_mb(one.process.pid)}
            told["idle_percent_of_a_core"] = idle_percent(one.process.pid)
            if now is not None and before is not None:
                told["gpu_mb"] = now - before
            began_s = time.monotonic()
            told["exit"] = one.end()
            told["stop_s"] = round(time.monotonic() - began_s, 2)
            told["said"] = one.said(200)
    return {"s": took, **told}


def idle_percent(pid: int, seconds: float = 2.0) -> float:
    """Per cent of a core that a process takes while nothing is to be done."""

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(seconds)
    return round(100 * (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds, 2)


def rss_mb(pid: int) -> int:
    return next(
        int(line.split()[1]) >> 10
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    try:
        gpu = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20,
        ).stdout.strip()  # fmt: skip
    except OSError:
        gpu = "no nvidia-smi"
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return {
        "gpu": gpu,
        "processor": model.partition(":")[2].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
    }


def run(bench: Bench) -> None:
    """The part `first`."""
    bench.each(
        [
            ("machine", machine),
            ("warmed, ms", lambda: opening(bench, 4096, "warmed")),
            ("cold, ms", lambda: opening(bench, 4096, "cold")),
            ("watch to ready", lambda: ready(bench)),
            *((f"limit {mb} MB, ms", lambda mb=mb: opening(bench, mb, "warmed")) for mb in (512, 256, 0, 128)),
        ]
    )
