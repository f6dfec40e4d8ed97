"""Measure what cleaning the graph and smaller precisions bring, side by side in one run.

    python -m benchmarks.export [RUN] [--batches 1,4,16,64] [--rounds 15]

Graphs: `plain` as tf2onnx exports it, `fp32` after this project's passes, `fp16` and `int8` made from it. RUN is a run
folder, whose validation photos int8 is calibrated on; without one, MobileNetV2 at 224 pixels with random weights is
built, which is as fast, and calibrated on drawn scenes. Runs on the CPU, with one thread and in CPU time, as the daemon
calls it; and on CUDA, in wall time, where onnxruntime can use it. The graphs take turns, so that a machine that slows
down slows all; what counts is the ratio to fp32 of neighbouring calls (above 1: faster). Every convolution must sit on
the provider that was asked for; `elsewhere` counts those that do not.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.common import finish, parser
from benchmarks.told import Row, Told
from contract.answers import run_session
from contract.geometry import Geometry
from contract.gpu import cuda_obstacle
from convert import export
from convert.clean import clean, node_counts
from convert.photos import parity_photos
from convert.smaller import lower

MEANING = "Speed over that of the cleaned fp32 graph, in neighbouring calls: above 1 is faster."
CUDA = [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"}), "CPUExecutionProvider"]


def network(folder: Path | None) -> tuple[Any, Geometry, float, list[Path]]:
    """(Keras model, geometry, temperature, photos) of the run, or of MobileNetV2 as training builds it."""
    export.keras_on_cpu()
    if folder is not None:
        from training.measure.predictions import read_predictions
        from training.run import PREDICTIONS, load_run

        run = load_run(folder)
        validation = read_predictions(run.path / PREDICTIONS, run.dataset, run.labels).of("val")
        return run.load_keras(), run.geometry, run.temperature, [photo.path for photo in validation.photos]
    import keras

    images = keras.Input((224, 224, 3), dtype="uint8", name="images")
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(224, 224, 3))
    features = base(keras.layers.Rescaling(1 / 127.5, offset=-1)(images))
    logits = keras.layers.Dense(6)(keras.layers.GlobalAveragePooling2D()(features))
    return keras.Model(images, logits), Geometry(), 1.3, []


def opened(data: bytes, providers: list[Any]) -> tuple[ort.InferenceSession, float]:
    """(session, milliseconds to open it)."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    started = time.perf_counter()
    session = ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    return session, (time.perf_counter() - started) * 1e3


def convolutions_elsewhere(session: ort.InferenceSession) -> int:
    """Count the convolutions that another provider than the first runs."""
    wanted, counts = session.get_providers()[0], Counter[str]()
    for part in session.get_provider_graph_assignment_info():
        counts.update(part.ep_name for node in part.get_nodes() if "Conv" in node.op_type)
    return sum(count for provider, count in counts.items() if provider != wanted)


def seconds(session: ort.InferenceSession, images: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    """Return the seconds of one call: of CPU time on the CPU, else of wall time."""
    clock = time.process_time if "CPU" in session.get_providers()[0] else time.perf_counter
    started = clock()
    run_session(session, images)
    return clock() - started


def measure(models: dict[str, bytes], provider: str, size_px: int, batches: list[int], rounds: int) -> list[Row]:
    """One row per batch size and graph."""
    providers = CUDA if provider == "cuda" else ["CPUExecutionProvider"]
    sessions, opening = {}, {}
    for name, data in models.items():
        sessions[name], opening[name] = opened(data, providers)
        if (provider == "cuda") != ("CUDA" in sessions[name].get_providers()[0]):
            raise SystemExit(f"asked for {provider}, got {sessions[name].get_providers()[0]}")
    rows: list[Row] = []
    for batch in batches:
        images = np.random.default_rng(batch).integers(0, 256, (batch, size_px, size_px, 3), np.uint8)
        for session in sessions.values():
            run_session(session, images)
        times = [{name: seconds(session, images) for name, session in sessions.items()} for _ in range(rounds)]
        for name, session in sessions.items():
            rows.append(
                {
                    "provider": provider,
                    "batch": batch,
                    "graph": name,
                    "photos/s": round(batch / statistics.median(t[name] for t in times), 1),
                    "x fp32": round(statistics.median(t["fp32"] / t[name] for t in times), 3),
                    "opens ms": round(opening[name], 1),
                    "MB": round(len(models[name]) / 1e6, 2),
                    "elsewhere": convolutions_elsewhere(session),
                }
            )
    return rows


def main() -> None:
    options = parser("export", __doc__, "batches of 1 and 16, three calls each")
    options.add_argument("run", nargs="?", type=Path)
    options.add_argument("--batches", default="1,4,16,64", help="comma-separated batch sizes")
    options.add_argument("--rounds", default=15, type=int, help="calls of each graph per batch size")
    arguments = options.parse_args()
    if arguments.short:
        arguments.batches, arguments.rounds = "1,16", 3
    finish("export", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """All graphs, on the CPU and where it can be had on CUDA."""
    model, geometry, temperature, photos = network(arguments.run)
    size_px = geometry.size_px
    plain = export.to_onnx(model, temperature, size_px)
    graphs = {"plain": plain, "fp32": clean(plain), "fp16": lower.to_fp16(clean(plain))}
    graphs["int8"] = lower.to_int8(clean(plain, even_pads=False), parity_photos(photos, geometry, 128).images)
    models = {name: graph.SerializeToString() for name, graph in graphs.items()}
    obstacle = cuda_obstacle()
    rows: list[Row] = []
    for provider in ["cpu"] if obstacle else ["cpu", "cuda"]:
        rows += measure(models, provider, size_px, [int(n) for n in arguments.batches.split(",")], arguments.rounds)
    notes = [_nodes(name, node_counts(graph)) for name, graph in graphs.items()]
    if obstacle:
        notes.append(f"CUDA was not measured: {obstacle}.")
    alone = {
        row["graph"]: row["x fp32"] for row in rows if row["batch"] == rows[0]["batch"] and row["provider"] == "cpu"
    }
    return Told(rows, {f"{name} x fp32": alone[name] for name in ("plain", "int8")}, MEANING, notes)


def _nodes(name: str, counts: dict[str, int]) -> str:
    return f"{name}: {sum(counts.values())} nodes: {', '.join(f'{count} {op}' for op, count in counts.items())}."


if __name__ == "__main__":
    main()
