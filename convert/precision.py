"""Produce the graph in the requested precision, measure it, and give it its own golden sample.

The golden sample holds the probabilities of the published graph itself, on the CPU. The tolerance for other processors
is measured too. An int8 graph runs once more node by node as written (integers become floats, are multiplied in float
and rounded again), because CUDA computes it so. An fp16 graph is compared with fp32, because the CPU computes it in
float32 between roundings, and a GPU computes in float16 only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from contract.answers import ask
from contract.golden import decode_golden, make_golden, pattern
from contract.metadata import GoldenCase, Precision
from convert import gate, lower
from convert.clean import clean, node_counts
from convert.export import checked
from convert.measure import (
    LabelledPhotos,
    PrecisionMeasurement,
    check_drop,
    measure_precision,
    one_thread,
    read_labelled,
    split,
)
from training.measure.predictions import Predictions
from training.run import Run

MAX_DROP_POINTS = 1.0
_DECODER = 2e-2
_FP32: Mapping[str, float] = {"cpu": 1e-4, "cuda": 1e-3, "decoder": _DECODER}
"""CUDA also computes in fp32, without TF32: at most 4.2e-6 over 1,077 photos (docs/gpu.md)."""
_HEAD_ROOM = 3
"""Factor on the measured difference, because the sample is small and other processors differ."""
_LEAST: Mapping[Precision, Mapping[str, float]] = {
    "fp16": {"cpu": 1e-2, "cuda": 3e-2},
    "int8": {"cpu": 3e-2, "cuda": 0.2},
}
"""On an H200, fp16 differed by 0.007 from the golden sample of fp32, and int8 on a photo by up to 0.1 from the CPU."""
_MOST = 0.25


@dataclass(frozen=True)
class PrecisionResult:
    """A graph in its final precision, ready to be stamped.

    Attributes:
        measured: comparison with fp32; None for fp32 itself.
        golden: probabilities of this graph.
        tolerance: largest allowed difference by provider, and for the decoder of encoded pictures.
    """

    precision: Precision
    model: onnx.ModelProto
    measured: PrecisionMeasurement | None
    golden: tuple[GoldenCase, ...]
    tolerance: Mapping[str, float]


def apply_precision(
    kind: Precision,
    plain: onnx.ModelProto,
    verified: onnx.ModelProto,
    run: Run,
    validation: Predictions,
    max_drop_points: float,
    say: Callable[[str, str], None],
) -> PrecisionResult:
    """Convert the verified graph to a precision.

    Args:
        kind: the precision.
        plain: the export before cleaning. int8 is cleaned from it again, without the pads made for cuDNN.
        verified: the clean fp32 graph that has passed the gate.
        run: the run.
        validation: predictions of its validation photos.
        max_drop_points: points of accuracy that the precision may lose.
        say: called after each step.

    Raises:
        TooFewPhotosError: the precision cannot be measured.
        AccuracyDropError: the precision loses too much accuracy.
        ContractError: no generated picture gets a clear prediction, so a golden sample cannot be made.
    """
    if kind == "fp32":
        golden = _golden(verified, run)
        return PrecisionResult(kind, verified, None, golden, _FP32)
    model, measured = _lowered(kind, plain, verified, read_labelled(validation, run.geometry))
    counts = node_counts(model)
    say(kind, f"{sum(counts.values())} nodes: {', '.join(f'{count} {op}' for op, count in counts.items())}")
    say("measured", str(measured))
    check_drop(kind, measured, max_drop_points)
    gate.check_signature(gate.open_on_cpu(model.SerializeToString()), run.geometry.size_px, len(run.labels))
    golden = _golden(model, run)
    return PrecisionResult(kind, model, measured, golden, _tolerance(kind, model, verified, golden, run))


def _lowered(
    kind: Precision, plain: onnx.ModelProto, verified: onnx.ModelProto, photos: LabelledPhotos
) -> tuple[onnx.ModelProto, PrecisionMeasurement]:
    calibrated_on = 0
    if kind == "fp16":
        model = checked(lower.to_fp16(verified))
    else:
        tuning, photos = split(photos)
        calibrated_on = len(tuning.labels)
        model = checked(lower.to_int8(clean(plain, even_pads=False), tuning.images))
    return model, measure_precision(verified.SerializeToString(), model.SerializeToString(), photos, calibrated_on)


def _golden(model: onnx.ModelProto, run: Run) -> tuple[GoldenCase, ...]:
    session = one_thread(model.SerializeToString())
    return make_golden(lambda images: ask(session, images, familiar=False), run.geometry)


def _tolerance(
    kind: Precision, model: onnx.ModelProto, verified: onnx.ModelProto, golden: tuple[GoldenCase, ...], run: Run
) -> Mapping[str, float]:
    other = verified if kind == "fp16" else model
    session = one_thread(other.SerializeToString(), literal=True)
    size_px = run.geometry.size_px
    pixels = [
        decode_golden(case.encoded, run.geometry) if case.encoded else pattern(case.seed, size_px) for case in golden
    ]
    answers = gate.onnx_probabilities(session, np.stack(pixels))
    off = float(np.abs(answers - np.array([case.probabilities for case in golden])).max())
    limits = {name: min(_MOST, max(least, _HEAD_ROOM * off)) for name, least in _LEAST[kind].items()}
    return {**{name: round(limit, 4) for name, limit in limits.items()}, "decoder": _DECODER}
