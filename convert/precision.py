"""The graph that is published in the precision that was asked for: made, measured, and with a golden sample of its own.

The golden sample is answered by the very graph that is published, on the CPU. How far another processor may be off is
measured too: an int8 graph is computed once more as it is written (whole numbers, turned into floats, multiplied in
float, and rounded again, as CUDA does it), and an fp16 graph is held against fp32, for here the CPU computes it in
float32 between roundings, and a GPU in float16 alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from contract.geometry import to_input
from contract.golden import make_golden, pattern
from contract.metadata import GoldenCase, Precision
from contract.session import run_session
from convert import gate, lower
from convert.clean import clean, node_counts
from convert.export import checked
from convert.measure import Measured, check_drop, measure, one_thread, read_labelled, split
from training.run import Run

MAX_DROP_POINTS = 1.0
_DECODER = 2e-2
_FP32: Mapping[str, float] = {"cpu": 1e-4, "cuda": 1e-3, "decoder": _DECODER}
"""CUDA computes in fp32 too, without TF32: 4.2e-6 at most over 1,077 photos (docs/gpu.md)."""
_HEAD_ROOM = 3
"""Times the measured difference: the sample is a few pictures, and the next processor is another one."""
_LEAST: Mapping[Precision, Mapping[str, float]] = {
    "fp16": {"cpu": 1e-2, "cuda": 3e-2},
    "int8": {"cpu": 3e-2, "cuda": 0.2},
}
"""On an H200 fp16 was off by 0.007 from fp32's golden sample, and int8 by up to 0.1 from the CPU's int8 on a photo."""
_MOST = 0.25


@dataclass(frozen=True)
class Made:
    """A graph ready to be stamped.

    measured   beside fp32; None for fp32 itself
    golden     its own answers
    tolerance  by how much they may differ elsewhere, by provider, and for the decoder of encoded pictures
    """

    precision: Precision
    model: onnx.ModelProto
    measured: Measured | None
    golden: tuple[GoldenCase, ...]
    tolerance: Mapping[str, float]


def make(
    kind: Precision,
    plain: onnx.ModelProto,
    verified: onnx.ModelProto,
    run: Run,
    max_drop_points: float,
    say: Callable[[str, str], None],
) -> Made:
    """Make the graph of that precision from the verified one.

    Args:
        kind: the precision.
        plain: the export before cleaning, which int8 is cleaned from anew, without pads made for cuDNN.
        verified: the clean fp32 graph that has passed the gate.
        run: its run, for the validation photos.
        max_drop_points: points of accuracy that it may cost.
        say: told of each step.

    Raises:
        TooFewPhotosError, AccuracyDropError: it cannot be measured, or costs too much.
        ContractError: it has no clear opinion of anything that could show later that it computes the same.
    """
    if kind == "fp32":
        golden = _golden(verified, run)
        return Made(kind, verified, None, golden, _FP32)
    model, measured = _smaller(kind, plain, verified, run)
    counts = node_counts(model)
    say(kind, f"{sum(counts.values())} nodes: {', '.join(f'{count} {op}' for op, count in counts.items())}")
    say("measured", str(measured))
    check_drop(kind, measured, max_drop_points)
    gate.check_signature(gate.open_on_cpu(model.SerializeToString()), run.geometry.size_px, len(run.labels))
    golden = _golden(model, run)
    return Made(kind, model, measured, golden, _tolerance(kind, model, verified, golden, run))


def _smaller(
    kind: Precision, plain: onnx.ModelProto, verified: onnx.ModelProto, run: Run
) -> tuple[onnx.ModelProto, Measured]:
    photos, calibrated_on = read_labelled(run.validation, run.geometry), 0
    if kind == "fp16":
        model = checked(lower.to_fp16(verified))
    else:
        tuning, photos = split(photos)
        calibrated_on = len(tuning.labels)
        model = checked(lower.to_int8(clean(plain, even_pads=False), tuning.images))
    return model, measure(verified.SerializeToString(), model.SerializeToString(), photos, calibrated_on)


def _golden(model: onnx.ModelProto, run: Run) -> tuple[GoldenCase, ...]:
    session = one_thread(model.SerializeToString())
    return make_golden(lambda images: run_session(session, images), run.geometry)


def _tolerance(
    kind: Precision, model: onnx.ModelProto, verified: onnx.ModelProto, golden: tuple[GoldenCase, ...], run: Run
) -> Mapping[str, float]:
    other = verified if kind == "fp16" else model
    session = one_thread(other.SerializeToString(), literal=True)
    size_px = run.geometry.size_px
    pixels = [to_input(case.encoded, run.geometry) if case.encoded else pattern(case.seed, size_px) for case in golden]
    answers = gate.onnx_probabilities(session, np.stack(pixels))
    off = float(np.abs(answers - np.array([case.probabilities for case in golden])).max())
    limits = {name: min(_MOST, max(least, _HEAD_ROOM * off)) for name, least in _LEAST[kind].items()}
    return {**{name: round(limit, 4) for name, limit in limits.items()}, "decoder": _DECODER}
