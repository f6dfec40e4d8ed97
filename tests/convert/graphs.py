"""Small graphs written as text, what they compute, and the two things that a test asks of a pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import numpy_helper, parser

from convert.clean import node_counts
from convert.graph import Match, apply, from_model, to_model

Array = npt.NDArray[np.float32]
Constants = Mapping[str, npt.NDArray[Any]]
Works = dict[str, tuple[str, Constants, tuple[Match, ...], dict[str, int]]]
"""Per case: the graph's text, its constants, the passes, and the nodes that are left."""
Refused = dict[str, tuple[str, Constants, Match]]
"""Per case: the graph's text, its constants, and the pass that must leave it alone."""

RNG = np.random.default_rng(7)


def random(*shape: int) -> Array:
    return RNG.normal(0, 1, shape).astype(np.float32)


def scalar(value: float) -> Array:
    return np.array(value, np.float32)


def pads(*amounts: int) -> npt.NDArray[np.int64]:
    return np.array(amounts, np.int64)


def build(text: str, constants: Constants) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}')
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
    onnx.checker.check_model(model, full_check=True)
    return model


def answers(model: onnx.ModelProto, batch: int = 3) -> list[Array]:
    """What the graph computes exactly as it is written: the runtime's own rewriting is off."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {}
    for item in session.get_inputs():
        shape = [batch if isinstance(side, str) else side for side in item.shape]
        pixels = np.random.default_rng(1).integers(0, 256, shape)
        feeds[item.name] = (
            pixels.astype(np.uint8) if item.type == "tensor(uint8)" else (pixels / 64 - 2).astype(np.float32)
        )
    return list(session.run(None, feeds))


def passed(model: onnx.ModelProto, *matches: Match) -> onnx.ModelProto:
    graph = from_model(model)
    for match in matches:
        graph = apply(graph, match)
    return to_model(graph)


def shortens(works: Works, case: str) -> None:
    """Hold that the passes leave just those nodes, and every answer as it was."""
    text, constants, matches, counts = works[case]
    before = build(text, constants)
    after = passed(before, *matches)
    onnx.checker.check_model(after, full_check=True)
    assert node_counts(after) == counts
    for old, new in zip(answers(before), answers(after), strict=True):
        assert new.shape == old.shape
        assert np.abs(new - old).max() < 2e-6 * np.abs(old).max()


def leaves_alone(refused: Refused, case: str) -> None:
    """Hold that the pass changes no node."""
    text, constants, match = refused[case]
    model = build(text, constants)
    assert passed(model, match).graph.node == to_model(from_model(model)).graph.node
