"""Produce the graph in the requested precision, measure it, and give it its own golden sample.

The golden sample holds the probabilities of the published graph itself, on the CPU. The tolerance for other processors
is measured too. An int8 graph runs once more node by node as written (integers become floats, are multiplied in float
and rounded again), because CUDA computes it so. An fp16 graph is compared with fp32, because the CPU computes it in
float32 between roundings, and a GPU computes in float16 only.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from contract.answers import ask
from contract.familiarity import VALUES, Familiarity
from contract.golden import decode_golden, make_golden, pattern
from contract.metadata import GoldenCase, Precision
from convert import gate
from convert.clean import clean, node_counts
from convert.export import checked
from convert.familiar import Familiar, dimensions_of, familiarities, moved_threshold
from convert.smaller import lower
from convert.smaller.measure import (
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
        familiarity: of this graph; None for a run without.
    """

    precision: Precision
    model: onnx.ModelProto
    measured: PrecisionMeasurement | None
    golden: tuple[GoldenCase, ...]
    tolerance: Mapping[str, float]
    familiarity: Familiarity | None


@dataclass(frozen=True)
class Graphs:
    """The graphs of a run in fp32.

    Attributes:
        plain: the export before cleaning. int8 is cleaned from it again, without the pads made for cuDNN.
        model: the clean graph, which the gate compares.
        familiar: what the run says about familiarity, whose outputs the graphs have; None without.
    """

    plain: onnx.ModelProto
    model: onnx.ModelProto
    familiar: Familiar | None


def apply_precision(
    kind: Precision,
    graphs: Graphs,
    run: Run,
    validation: Predictions,
    max_drop_points: float,
    say: Callable[[str, str], None],
) -> PrecisionResult:
    """Convert the verified graph to a precision.

    Args:
        kind: the precision.
        graphs: of the run, which have passed the gate.
        run: the run.
        validation: predictions of its validation photos.
        max_drop_points: points of accuracy that the precision may lose.
        say: called after each step.

    Raises:
        TooFewPhotosError: the precision cannot be measured.
        AccuracyDropError: the precision loses too much accuracy.
        ContractError: no generated picture gets a clear prediction, so a golden sample cannot be made.
    """
    familiar = graphs.familiar
    if kind == "fp32":
        golden = _golden(graphs.model, run, familiar)
        known = None if familiar is None else familiar.contract(kind, dict.fromkeys(VALUES, _FP32), familiar.threshold)
        return PrecisionResult(kind, graphs.model, None, golden, _FP32, known)
    model, measured, threshold = _lowered(kind, graphs, read_labelled(validation, run.geometry))
    counts = node_counts(model)
    say(kind, f"{sum(counts.values())} nodes: {', '.join(f'{count} {op}' for op, count in counts.items())}")
    say("measured", str(measured))
    check_drop(kind, measured, max_drop_points)
    session = gate.open_on_cpu(model.SerializeToString())
    gate.check_signature(session, run.geometry.size_px, len(run.labels), dimensions_of(familiar))
    golden = _golden(model, run, familiar)
    off = _differences(kind, model, graphs, golden, run)
    known = None
    if familiar is not None:
        made = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()[:8]
        known = familiar.contract(kind, {name: _limits(kind, off[name]) for name in VALUES}, threshold, made)
    return PrecisionResult(kind, model, measured, golden, _limits(kind, off["probabilities"]), known)


def _lowered(
    kind: Precision, graphs: Graphs, photos: LabelledPhotos
) -> tuple[onnx.ModelProto, PrecisionMeasurement, float]:
    """The graph in a smaller precision, what it loses, and its threshold of familiarity (0 without)."""
    calibrated_on = 0
    if kind == "fp16":
        model = checked(lower.to_fp16(graphs.model))
    else:
        tuning, photos = split(photos)
        calibrated_on = len(tuning.labels)
        model = checked(lower.to_int8(clean(graphs.plain, even_pads=False), tuning.images))
    before, after = graphs.model.SerializeToString(), model.SerializeToString()
    measured = measure_precision(before, after, photos, calibrated_on)
    if graphs.familiar is None:
        return model, measured, 0.0
    values = [familiarities(gate.open_on_cpu(data), photos.images) for data in (before, after)]
    return model, measured, moved_threshold(graphs.familiar.threshold, *values)


def _golden(model: onnx.ModelProto, run: Run, familiar: Familiar | None) -> tuple[GoldenCase, ...]:
    session = one_thread(model.SerializeToString())
    return make_golden(lambda images: ask(session, images, familiar=familiar is not None), run.geometry)


def _differences(
    kind: Precision, model: onnx.ModelProto, graphs: Graphs, golden: tuple[GoldenCase, ...], run: Run
) -> Mapping[str, float]:
    """Largest difference of each output from the golden sample, as another processor may compute it."""
    other = graphs.model if kind == "fp16" else model
    session = one_thread(other.SerializeToString(), literal=True)
    size_px = run.geometry.size_px
    pixels = [
        decode_golden(case.encoded, run.geometry) if case.encoded else pattern(case.seed, size_px) for case in golden
    ]
    answers = ask(session, np.stack(pixels), familiar=graphs.familiar is not None)
    names = ("probabilities", *VALUES) if graphs.familiar is not None else ("probabilities",)
    return {
        name: float(np.abs(getattr(answers, name) - np.array([getattr(case, name) for case in golden])).max())
        for name in names
    }


def _limits(kind: Precision, off: float) -> Mapping[str, float]:
    """Largest allowed difference by provider, from one that was measured."""
    limits = {name: min(_MOST, max(least, _HEAD_ROOM * off)) for name, least in _LEAST[kind].items()}
    return {**{name: round(limit, 4) for name, limit in limits.items()}, "decoder": _DECODER}
