"""CUDA's answers beside the CPU's over real photos, by precision, and the golden difference as the contract has it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.gpu import graphs
from benchmarks.gpu.bench import Bench, SkippedError, shipped
from benchmarks.gpu.photos import found
from benchmarks.gpu.sessions import make
from contract.answers import ask, run_session
from contract.familiarity import MAX_TOLERANCE
from contract.geometry import Pixels, to_input
from contract.golden import replay
from contract.session import Model, open_model, read_contract

MOST = 1200
BATCH = 64


def inputs(bench: Bench) -> Pixels:
    """Photos as the network gets them; those of a `test` folder if there is one."""
    paths = found(bench.photos, MOST if bench.cuda else 48)
    geometry = read_contract(shipped()).geometry
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return np.stack(list(pool.map(lambda path: to_input(path, geometry), paths)))


def on_cpu(data: bytes, images: Pixels) -> Any:
    """Probabilities on the CPU, all cores at once."""
    session = make(Bench(None, "cpu", None, None, 0), data)  # type: ignore[arg-type]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return np.concatenate(list(pool.map(lambda image: run_session(session, image[None]), images)))


def beside(bench: Bench, data: bytes, reference: Any, images: Pixels, cuda: dict[str, str] | None = None) -> Any:
    """How far answers on the bench's device are from the reference, and from the contract's golden sample."""
    session = make(bench, data, cuda)
    parts = [run_session(session, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
    return {**differences(np.concatenate(parts), reference), "golden": golden(session)}


def differences(got: Any, reference: Any) -> dict[str, Any]:
    """Largest, 99.9th percentile and mean difference of a probability; photos whose first class is another."""
    off = np.abs(got - reference)
    worst = off.max(axis=1)
    return {
        "photos": len(got),
        "max": float(off.max()),
        "p999": float(np.quantile(worst, 0.999)),
        "mean": float(off.mean()),
        "other_top1": int((got.argmax(1) != reference.argmax(1)).sum()),
        "nan": int(np.isnan(got).sum()),
    }


def golden(session: Any) -> float:
    """Largest difference from the shipped model's golden sample, with no limit in the way."""
    contract = read_contract(shipped())
    wide = replace(contract, tolerance=dict.fromkeys(contract.tolerance, MAX_TOLERANCE))
    return replay(lambda images: ask(session, images, familiar=wide.familiarity is not None), wide, "cuda")


def run(bench: Bench) -> None:
    """The part `parity`."""
    images = inputs(bench)
    reference = on_cpu(shipped(), images)
    bench.note("photos", len(images))

    def product() -> Any:
        model: Model = open_model(shipped(), "cuda" if bench.cuda else "cpu")
        limits = {name: float(limit) for name, limit in model.contract.tolerance.items()}
        return {"provider": model.provider, "golden": model.golden_difference, "tolerance": limits}

    def int8() -> Any:
        data = graphs.int8(images[:: max(1, len(images) // 64)][:64])
        alone = on_cpu(data, images)
        return {"cpu_int8_from_fp32": differences(alone, reference), **beside(bench, data, alone, images)}

    def off(value: str) -> Callable[[], Any]:
        return lambda: beside(bench, shipped(), reference, images, {"use_tf32": value})

    def fp16() -> Any:
        return beside(bench, graphs.fp16(), reference, images)

    def again() -> Any:
        """Whether the same photos get the same answers in other batches and at other times."""
        if not bench.cuda:
            raise SkippedError("needs CUDA")
        session = make(bench, shipped())
        parts = [run_session(session, images[first : first + 8]) for first in range(0, len(images), 8)]
        whole = [run_session(session, images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        return differences(np.concatenate(parts), np.concatenate(whole))

    bench.each(
        [
            ("as the product opens it", product),
            ("fp32 with TF32", off("1")),
            ("fp32 without TF32", off("0")),
            ("batches of 8 beside 64", again),
            ("fp16", fp16),
            ("int8 from grown kernels", int8),
        ]
    )
