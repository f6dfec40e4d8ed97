"""Photos a second by batch size: options of the CUDA provider, precision, ways of copying, overlap."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.gpu import graphs
from benchmarks.gpu.bench import Bench, paced, random_images, rate, shipped
from benchmarks.gpu.sessions import opened
from contract.metadata import INPUT_NAME, OUTPUT_NAME

ALL = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SOME = (1, 8, 64, 256)


def by_bucket(bench: Bench, data: bytes, cuda: dict[str, str] | None = None, sizes: tuple[int, ...] = SOME) -> Any:
    """The first run of each bucket in ms and the steady rate, numpy arrays in and out."""
    session, open_s = opened(bench, data, cuda)
    found: dict[str, Any] = {"open_s": round(open_s, 2)}
    for size in sizes if bench.cuda else sizes[:3]:
        images = random_images(size)
        start = time.perf_counter()
        session.run([OUTPUT_NAME], {INPUT_NAME: images})
        first_ms = 1e3 * (time.perf_counter() - start)
        steady = paced(partial(session.run, [OUTPUT_NAME], {INPUT_NAME: images}))
        found[str(size)] = {"first_ms": round(first_ms, 1), **rate(size, steady)}
    return found


def bound(bench: Bench, place: str) -> Any:
    """With IO binding. `device`: images copied into memory of the GPU that is held; `compute`: nothing copied in."""
    bench.need_cuda()
    session, _ = opened(bench, shipped())
    found: dict[str, Any] = {}
    for size in SOME:
        images = random_images(size)
        held = ort.OrtValue.ortvalue_from_numpy(images, "cuda", 0)
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT_NAME, held)
        binding.bind_output(OUTPUT_NAME, "cuda" if place == "compute" else "cpu")

        def once(binding: Any = binding, held: Any = held, images: Any = images) -> None:
            if place == "device":
                held.update_inplace(images)
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        found[str(size)] = rate(size, paced(once))
    return found


def copies(bench: Bench) -> Any:
    """Milliseconds to copy a batch of uint8 to the GPU from pageable memory, and to stack it before that."""
    bench.need_cuda()
    opened(bench, shipped())
    found: dict[str, Any] = {}
    for size in SOME:
        images = random_images(size)
        singles = list(images)
        held = ort.OrtValue.ortvalue_from_numpy(images, "cuda", 0)
        copied = paced(partial(held.update_inplace, images))
        stacked = paced(partial(np.stack, singles, out=images))
        found[str(size)] = {
            "copy_ms": round(1e3 * float(np.median(copied)), 3),
            "stack_ms": round(1e3 * float(np.median(stacked)), 3),
        }
    return found


def graph(bench: Bench) -> Any:
    """CUDA graphs: one captured for each bucket; images are copied into the memory that it reads."""
    bench.need_cuda()
    session, _ = opened(bench, shipped(), {"enable_cuda_graph": "1"})
    found: dict[str, Any] = {}
    for number, size in enumerate(SOME, 1):
        images = random_images(size)
        held = ort.OrtValue.ortvalue_from_numpy(images, "cuda", 0)
        answer = ort.OrtValue.ortvalue_from_shape_and_type(
            [size, session.get_outputs()[0].shape[1]], np.float32, "cuda", 0
        )
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT_NAME, held)
        binding.bind_ortvalue_output(OUTPUT_NAME, answer)
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(number))

        def once(held: Any = held, images: Any = images, binding: Any = binding, options: Any = options) -> None:
            held.update_inplace(images)
            session.run_with_iobinding(binding, options)
            answer.numpy()  # noqa: B023 - read while this bucket is measured

        found[str(size)] = rate(size, paced(once))
        plain = session_answers(bench, images)
        off = float(np.abs(answer.numpy() - plain).max())
        found[str(size)]["off"] = off
    return found


def session_answers(bench: Bench, images: Any) -> Any:
    """What a session without graphs answers."""
    session, _ = opened(bench, shipped())
    return session.run([OUTPUT_NAME], {INPUT_NAME: images})[0]


def switched(bench: Bench) -> Any:
    """Milliseconds of runs that change the batch size each time: what a session keeps is for the last size alone."""
    session, _ = opened(bench, shipped())
    sizes = (1, 8, 64) if bench.cuda else (1, 2, 4)
    some = {size: random_images(size) for size in sizes}
    found: dict[str, list[float]] = {str(size): [] for size in sizes}
    for size in sizes * 3:
        start = time.perf_counter()
        session.run([OUTPUT_NAME], {INPUT_NAME: some[size]})
        found[str(size)].append(round(1e3 * (time.perf_counter() - start), 1))
    return found


def overlapped(bench: Bench, sessions: int, threads: int, size: int) -> Any:
    """Photos a second of several threads, on one session or one each, for a second."""
    made = [opened(bench, shipped())[0] for _ in range(sessions)]
    images = random_images(size)
    for session in made:
        for _ in range(3):
            session.run([OUTPUT_NAME], {INPUT_NAME: images})
    counts = [0] * threads
    end_s = time.perf_counter() + 1.0

    def work(number: int) -> None:
        session = made[number % sessions]
        while time.perf_counter() < end_s:
            session.run([OUTPUT_NAME], {INPUT_NAME: images})
            counts[number] += size

    start = time.perf_counter()
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {"photos_s": round(sum(counts) / (time.perf_counter() - start))}


def run(bench: Bench) -> None:
    """The part `buckets`: the product's options first, then one change at a time."""
    half: list[bytes] = []
    crowds = ((1, 1, 64), (1, 2, 64), (2, 2, 64), (2, 2, 8))

    def crowd(many: int, threads: int, size: int) -> tuple[str, Callable[[], Any]]:
        return f"{many} sessions, {threads} threads, {size}", lambda: overlapped(bench, many, threads, size)

    def fp16() -> bytes:
        half[:] = half or [graphs.fp16()]
        return half[0]

    def options(**cuda: str) -> Callable[[], Any]:
        return lambda: by_bucket(bench, shipped(), cuda)

    tasks: list[tuple[str, Callable[[], Any]]] = [
        ("as shipped", lambda: by_bucket(bench, shipped(), sizes=(8, 64))),
        ("another size each time, ms", lambda: switched(bench)),
        *(crowd(*each) for each in crowds),
        ("search EXHAUSTIVE", options(cudnn_conv_algo_search="EXHAUSTIVE")),
        ("search DEFAULT", options(cudnn_conv_algo_search="DEFAULT")),
        ("small workspace", options(cudnn_conv_use_max_workspace="0")),
        ("with TF32", options(use_tf32="1")),
        ("copies", lambda: copies(bench)),
        ("bound to the GPU, copied in", lambda: bound(bench, "device")),
        ("bound to the GPU, nothing copied", lambda: bound(bench, "compute")),
        ("cuda graph", lambda: graph(bench)),
        ("prefer_nhwc", options(prefer_nhwc="1")),
        ("fp16", lambda: by_bucket(bench, fp16())),
        ("fp16 prefer_nhwc", lambda: by_bucket(bench, fp16(), {"prefer_nhwc": "1"})),
        ("all sizes", lambda: by_bucket(bench, shipped(), sizes=ALL)),
        ("fp16 EXHAUSTIVE", lambda: by_bucket(bench, fp16(), {"cudnn_conv_algo_search": "EXHAUSTIVE"})),
        ("pads 0,0,1,1", lambda: by_bucket(bench, graphs.asymmetric())),
    ]
    bench.each(tasks)
