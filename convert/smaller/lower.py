"""Lower the clean fp32 graph to fp16 or int8. No other module uses the converters of onnxruntime."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import contract.geometry
from contract.metadata import INPUT_NAME
from convert.errors import UNCHANGED, ExportError
from convert.graph import Graph, Match, apply, from_model, to_model
from convert.head import head_of
from convert.passes import tidy
from convert.smaller.bias import round_dense
from convert.smaller.rounding import pixels_dequantised, round_depthwise, whole_pixels

_TIDY: tuple[Match, ...] = (tidy.drop_round_trip, tidy.drop_no_op, tidy.drop_dead)
# The layers behind the last convolution stay in float: they cost little time, and rounding them costs accuracy.
_INTEGER = ["Conv", "Clip", "Relu", "Add", "Concat", "MaxPool", "AveragePool"]
_CHUNK = 8


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert weights and activations to half precision. Pixels stay uint8, and the last linear layer and the softmax
    stay float32, so that `learn` can replace that layer in every precision.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    head = head_of(from_model(model))
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with _quiet():
        half = convert_float_to_float16(
            copy, keep_io_types=True, op_block_list=["Softmax"], node_block_list=[head.node.key] if head else []
        )
    # The converter appends its casts after the nodes that read them.
    return _tidied(from_model(to_model(tidy.in_order(from_model(half)))))


def to_int8(model: onnx.ModelProto, images: contract.geometry.Pixels) -> onnx.ModelProto:
    """Quantise statically (QDQ): unsigned 8-bit activations, signed 7-bit weights scaled per channel, 32-bit biases.

    Args:
        model: the clean fp32 graph with the pads of training, because kernels enlarged for cuDNN are slower in int8.
        images: uint8 [n, size, size, 3], used to measure the ranges of activations.

    Raises:
        ExportError: onnxruntime cannot quantise this graph, or the temporary folder is full.
    """
    graph, pixels = whole_pixels(round_depthwise(round_dense(model, images)))
    extra: dict[str, Any] = {}
    if pixels is not None:
        exact = {"scale": np.array(1, np.float32), "zero_point": np.array(pixels.zero, np.uint8)}
        extra["TensorQuantOverrides"] = {pixels.tensor: [exact]}
    try:
        quantised = from_model(_quantised(to_model(graph), images, [pixels.shift] if pixels else [], extra))
    except (OSError, ValueError, RuntimeError) as error:
        raise ExportError(f"onnxruntime cannot quantise this network to int8 ({error}). {UNCHANGED}") from error
    return _tidied(pixels_dequantised(quantised, pixels) if pixels is not None else quantised)


def _quantised(
    model: onnx.ModelProto, images: contract.geometry.Pixels, excluded: list[str], extra: dict[str, Any]
) -> onnx.ModelProto:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quiet(), tempfile.TemporaryDirectory(prefix="phototriage-") as folder:
        written = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            written,
            _reader(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_INTEGER,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=excluded,
            extra_options=extra,
        )
        return onnx.load(written)


def _reader(images: contract.geometry.Pixels) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._starts = iter(range(0, len(images), _CHUNK))

        def get_next(self) -> dict[str, Any] | None:
            start = next(self._starts, None)
            return None if start is None else {INPUT_NAME: images[start : start + _CHUNK]}

    return Reader()


def _tidied(graph: Graph) -> onnx.ModelProto:
    return to_model(tidy.name_by_position(reduce(apply, _TIDY, graph)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converters: their warnings address programmers, not users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
