"""A model that divides by how green and blue a picture is: red and black ones get NaN, all others numbers."""

from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from contract.answers import ask
from contract.geometry import Geometry
from contract.golden import make_golden
from contract.metadata import INPUT_NAME, Contract
from contract.session import Model, open_model
from tests.colour_model import LABELS, colour_graph, with_metadata


@cache
def doubtful_model(*, half: bool = False) -> bytes:
    """Return the model's file, golden sample included; with `half` the division is made in fp16."""
    graph = onnx.load_from_string(colour_graph(len(LABELS)))
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    weights = np.array([[0], [1], [1]], np.float16 if half else np.float32)
    graph.graph.initializer.append(numpy_helper.from_array(weights, "not red"))
    division = [
        helper.make_node("Cast", ["mean"], ["mean as kind"], to=kind),
        helper.make_node("MatMul", ["mean as kind", "not red"], ["divisor"]),
        helper.make_node("Div", ["mean as kind", "divisor"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["divided"], to=TensorProto.FLOAT),
    ]
    *before, multiply, softmax = graph.graph.node
    multiply.input[0] = "divided"
    del graph.graph.node[:]
    graph.graph.node.extend([*before, *division, multiply, softmax])
    data = graph.SerializeToString()
    session, geometry = ort.InferenceSession(data, providers=["CPUExecutionProvider"]), Geometry("stretch", 32)
    assert [item.name for item in session.get_inputs()] == [INPUT_NAME]
    golden = make_golden(lambda images: ask(session, images, familiar=False), geometry)
    return with_metadata(data, Contract(LABELS, geometry, made_by={"doubtful": "1"}, golden=golden).to_json())


@cache
def opened_doubtful(*, half: bool = False) -> Model:
    return open_model(doubtful_model(half=half), "cpu")
