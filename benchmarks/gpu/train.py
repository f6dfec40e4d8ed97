"""Training by Keras on JAX: photos a second of the product's own step, and a whole default recipe."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.bench import ROOT, Bench, SkippedError, environment

# In a process of its own: the backend and the policy are chosen before Keras is imported.
STEP = """
import json, sys, time
import numpy as np
px, batch, unfreeze, policy, budget_s = *map(int, sys.argv[1:3]), *sys.argv[3:5], float(sys.argv[5])
import keras
keras.mixed_precision.set_dtype_policy(policy)
from training.network.network import build, unfreeze as let_learn
from training.fit.optimizer import loss_of, optimizer_of
from training.recipe.recipe import Recipe
recipe = Recipe().with_options({"weights": "none", "fine_tune.batch_size": batch,
                                "fine_tune.unfreeze": unfreeze if unfreeze == "all" else int(unfreeze)})
model = build(recipe, 6, None, px)
learning = let_learn(model, recipe.fine_tune)
model.compile(optimizer_of(recipe.fine_tune), loss_of(6, 0.1))
rng = np.random.default_rng(0)
photos = rng.integers(0, 256, (batch, px, px, 3), np.uint8)
labels = np.eye(6, dtype=np.float32)[rng.integers(0, 6, batch)]
start = time.perf_counter()
loss = float(model.train_on_batch(photos, labels))
first_s = time.perf_counter() - start
took = []
while sum(took) < budget_s and len(took) < 400 or len(took) < 2:
    start = time.perf_counter()
    loss = float(model.train_on_batch(photos, labels))
    took.append(time.perf_counter() - start)
median = float(np.median(took))
print(json.dumps({"first_step_s": round(first_s, 1), "step_ms": round(1e3 * median, 2),
                  "photos_s": round(batch / median),
                  "weights": learning, "loss": round(loss, 3), "device": keras.distribution.list_devices()[:2],
                  "tensorflow": "tensorflow" in sys.modules}))
"""


def backend(bench: Bench) -> dict[str, str]:
    """Variables of a child that trains on JAX; its memory of the GPU is taken as needed."""
    missing = [name for name in ("keras", "jax") if not _there(name)]
    if missing:
        raise SkippedError(f"{' and '.join(missing)} is not installed here")
    more = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**environment(), **more, "XDG_CACHE_HOME": str(bench.folder / "cache")}


def _there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def step(bench: Bench, px: int, batch: int, learns: str, policy: str = "float32") -> Any:
    """The steady speed of `train_on_batch`, its compilation apart; a fifth of a second of steps, or more."""
    budget = "1.5" if bench.cuda else "0.2"
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(px), str(batch), learns, policy, budget],
        capture_output=True, text=True, timeout=90, env=backend(bench), cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-400:])
    return json.loads(done.stdout.splitlines()[-1])


def weights() -> dict[str, str]:
    """Where Keras finds initial weights without a network."""
    home = os.environ.get("KERAS_HOME", "")
    if home and any(Path(home).rglob("*mobilenet*")):
        return {}
    raise SkippedError("KERAS_HOME names no folder with MobileNetV2's initial weights")


def recipe(bench: Bench, *options: str) -> Any:
    """`phototriage train` with the default recipe over the photos' `train` folder, tested on `test` if it is there."""
    weights()
    train, test = bench.photos / "train", bench.photos / "test"
    if not train.is_dir():
        raise SkippedError("--photos has no folder `train`")
    output = bench.folder / f"run-{len(options)}"
    words = ["train", str(train), "--output", str(output), *options, *(["--test", str(test)] if test.is_dir() else [])]
    start = time.monotonic()
    with (bench.folder / "train.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "phototriage", *words], stdout=log, stderr=log, env=backend(bench), cwd=ROOT
        )
        try:
            code: object = process.wait(max(5.0, min(120.0, bench.left_s)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "ended: its time was over"
    said = (bench.folder / "train.log").read_text().splitlines()
    lines = [
        line for line in said if any(word in line for word in ("Epoch", "ccuracy", "runs on", "run is in", "rror"))
    ]
    return {"exit": code, "s": round(time.monotonic() - start, 1), "said": lines[-14:] or said[-5:]}


def run(bench: Bench) -> None:
    """The part `train`."""
    few = [] if bench.cuda else ["--epochs", "1", "--size-px", "96"]
    large = ((128, 128, "all"), (160, 128, "all"), (224, 128, "all"), (128, 32, "all"), (160, 128, "0"))
    for px, batch, learns in large if bench.cuda else ((96, 8, "all"), (96, 8, "0")):
        name = f"{px} px, batch {batch}, {'all layers' if learns == 'all' else 'frozen'}"
        for policy in ("float32", "mixed_bfloat16"):
            bench.each([(f"{name}, {policy}", partial(step, bench, px, batch, learns, policy))])
    bench.each([("default recipe", lambda: recipe(bench, *few))])
