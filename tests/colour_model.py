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

from contract.answers import ask
from contract.familiarity import Familiarity
from contract.geometry import Geometry, Mode
from contract.golden import make_golden
from contract.metadata import (
    EMBEDDING_NAME,
    FAMILIARITY_NAME,
    INPUT_NAME,
    METADATA_KEY,
    NEAREST_NAME,
    OUTPUT_NAME,
    Contract,
)

LABELS = ("red", "green", "blue")
COLOURS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1))
"""Of the labels in order; a seventh label and further ones get mixtures."""


def colour_model(
    labels: tuple[str, ...] = LABELS,
    size_px: int = 32,
    mode: Mode = "stretch",
    *,
    gain: float = 12.0,
    familiarity: Familiarity | None = None,
    **contract: Any,
) -> bytes:
    """Build the model's file: mean colour of the picture, times a colour matrix and `gain`, softmax.

    Args:
        labels: class names; the first three answer to red, green and blue.
        size_px: side of the input.
        mode: of the geometry.
        gain: sharpness; at 12 a plain red photo is `labels[0]` with p > 0.99.
        familiarity: adds the outputs of familiarity: the embedding is the mean colour at unit length, the centres are
            the colours of the labels. A pure colour has familiarity 1, grey 0.58 without a mixed colour among them.
        contract: other fields of `Contract` to set (`thresholds`, `tolerance`, `golden`, ...).

    Returns:
        An .onnx file with its contract, golden sample included, as made by a real session.
    """
    familiar = familiarity is not None
    graph = colour_graph(len(labels), size_px, gain, familiar=familiar)
    fields: dict[str, Any] = {"labels": labels, "geometry": Geometry(mode, size_px), "made_by": {"colour_model": "1"}}
    fields["familiarity"] = familiarity
    if "golden" not in contract:
        fields["golden"] = _golden(len(labels), size_px, mode, gain, familiar)
    return with_metadata(graph, Contract(**(fields | contract)).to_json())


FAMILIAR = Familiarity(
    id="colours-1", dimensions=3, centres=3, threshold=0.9, kept=0.98, kept_at_least=0.97, photos=1000
)
"""For `colour_model(familiarity=FAMILIAR)`: grey and mixed colours are unfamiliar."""


@cache
def colour_graph(
    classes: int, size_px: int = 32, gain: float = 12.0, batch: int | str = "batch", *, familiar: bool = False
) -> bytes:
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
    outputs = [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [batch, classes])]
    if familiar:
        initializers["centres"] = np.array([_colour(number) for number in range(classes)], np.float32).T
        initializers["tiny"] = np.array(1e-6, np.float32)
        initializers["last"] = np.array([1], np.int64)
        nodes += [
            helper.make_node("ReduceL2", ["mean", "last"], ["length"], keepdims=1),
            helper.make_node("Max", ["length", "tiny"], ["divisor"]),
            helper.make_node("Div", ["mean", "divisor"], [EMBEDDING_NAME]),
            helper.make_node("MatMul", [EMBEDDING_NAME, "centres"], ["cosines"]),
            helper.make_node("ReduceMax", ["cosines", "last"], [FAMILIARITY_NAME], keepdims=0),
            helper.make_node("ArgMax", ["cosines"], [NEAREST_NAME], axis=1, keepdims=0),
        ]
        outputs += [
            helper.make_tensor_value_info(EMBEDDING_NAME, TensorProto.FLOAT, [batch, 3]),
            helper.make_tensor_value_info(FAMILIARITY_NAME, TensorProto.FLOAT, [batch]),
            helper.make_tensor_value_info(NEAREST_NAME, TensorProto.INT64, [batch]),
        ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, [batch, size_px, size_px, 3])],
        outputs,
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
def _golden(classes: int, size_px: int, mode: Mode, gain: float, familiar: bool) -> Any:
    graph = colour_graph(classes, size_px, gain, familiar=familiar)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return make_golden(lambda images: ask(session, images, familiar=familiar), Geometry(mode, size_px))


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
