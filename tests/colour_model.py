"""A tiny real model that keeps the whole contract: it names the colour of a photo. Made without TensorFlow.

The daemon's and the contract's tests serve it through onnxruntime as they would a trained one, and spoil it by hand.
"""

import json
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from contract.geometry import Geometry, Mode
from contract.golden import make_golden
from contract.metadata import INPUT_NAME, METADATA_KEY, OUTPUT_NAME, Contract
from contract.session import run_session

LABELS = ("red", "green", "blue")
COLOURS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
"""Of the labels in order; a seventh label and further ones get mixtures."""


def colour_model(
    labels: tuple[str, ...] = LABELS,
    size_px: int = 32,
    mode: Mode = "stretch",
    *,
    gain: float = 12.0,
    **contract: Any,
) -> bytes:
    """Build the model's file: mean colour of the picture, times a colour matrix and `gain`, softmax.

    Args:
        labels: class names; the first three answer to red, green and blue.
        size_px: side of the input.
        mode: of the geometry.
        gain: sharpness; at 12 a plain red photo is `labels[0]` with p > 0.99.
        contract: other fields of `Contract` to set (`thresholds`, `tolerance`, `golden`, ...).

    Returns:
        An .onnx file with its contract, golden sample included, as made by a real session.
    """
    graph = colour_graph(len(labels), size_px, gain)
    fields: dict[str, Any] = {"labels": labels, "geometry": Geometry(mode, size_px), "made_by": {"colour_model": "1"}}
    if "golden" not in contract:
        fields["golden"] = _golden(len(labels), size_px, mode, gain)
    return with_metadata(graph, Contract(**(fields | contract)).to_json())


@cache
def colour_graph(classes: int, size_px: int = 32, gain: float = 12.0, batch: int | str = "batch") -> bytes:
    """Build the network alone, with no contract in it."""
    initializers = {
        "scale": np.array(1 / 255, np.float32),
        "axes": np.array([1, 2], np.int64),
        "matrix": np.array([_colour(number) for number in range(classes)], np.float32).T * np.float32(gain),
    }
    nodes = [
        helper.make_node("Cast", [INPUT_NAME], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "matrix"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT_NAME], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, [batch, size_px, size_px, 3])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(value, name) for name, value in initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def _colour(number: int) -> tuple[float, ...]:
    if number < len(COLOURS):
        red, green, blue = COLOURS[number]
    else:
        red, green, blue = (number * step % 17 for step in (3, 5, 7))
    # Of unit length, so that a pure colour is nearest to itself and not to a mixture that holds it.
    length = float(np.hypot(np.hypot(red, green), blue)) or 1.0
    return red / length, green / length, blue / length


@cache
def _golden(classes: int, size_px: int, mode: Mode, gain: float) -> Any:
    session = ort.InferenceSession(colour_graph(classes, size_px, gain), providers=["CPUExecutionProvider"])
    return make_golden(lambda images: run_session(session, images), Geometry(mode, size_px))


def with_metadata(model: bytes, text: str | None) -> bytes:
    """Return the model with `text` as its contract in place of the old one; None leaves it without any."""
    proto = onnx.load_from_string(model)
    del proto.metadata_props[:]
    if text is not None:
        helper.set_model_props(proto, {METADATA_KEY: text})
    return bytes(proto.SerializeToString())


def contract_text(model: bytes) -> str:
    """Return the contract inside a model as it stands there, unchecked."""
    (entry,) = (item for item in onnx.load_from_string(model).metadata_props if item.key == METADATA_KEY)
    return str(entry.value)


def with_changes(model: bytes, **changes: Any) -> bytes:
    """Return the model with single keys of its contract's JSON replaced, unchecked: `labels=["../../x", "b", "c"]`."""
    return with_metadata(model, json.dumps(json.loads(contract_text(model)) | changes))
