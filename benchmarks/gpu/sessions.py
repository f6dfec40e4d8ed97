"""Sessions with options that the product does not set, to see whether it should."""

import time
from pathlib import Path
from typing import Any

import onnxruntime as ort

from benchmarks.gpu.bench import Bench
from contract.gpu import preload_cuda

PRODUCT = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}


def make(
    bench: Bench,
    data: bytes,
    cuda: dict[str, str] | None = None,
    *,
    config: dict[str, str] | None = None,
    profile: Path | None = None,
) -> ort.InferenceSession:
    """Open a model on the bench's device, with options of the CUDA provider beside the product's own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for key, value in (config or {}).items():
        options.add_session_config_entry(key, value)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    providers: list[Any] = ["CPUExecutionProvider"]
    if bench.cuda:
        preload_cuda()
        providers.insert(0, ("CUDAExecutionProvider", {**PRODUCT, **(cuda or {})}))
    session = ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    if bench.cuda and session.get_providers()[0] != "CUDAExecutionProvider":
        raise RuntimeError(f"the session runs on {session.get_providers()[0]}")
    return session


def opened(bench: Bench, data: bytes, cuda: dict[str, str] | None = None) -> tuple[ort.InferenceSession, float]:
    """The session and the seconds that it took to open."""
    start = time.perf_counter()
    session = make(bench, data, cuda)
    return session, time.perf_counter() - start
