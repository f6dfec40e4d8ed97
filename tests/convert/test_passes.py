"""Each graph pass alone: the answers stay, the nodes go, and where a pass would be wrong it keeps its hands off."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper, parser

from convert.clean import clean, node_counts
from convert.graph import Match, apply, from_model, to_model
from convert.passes import conv, dense, tidy

Array = npt.NDArray[np.float32]
Constants = Mapping[str, npt.NDArray[Any]]
RNG = np.random.default_rng(7)


def random(*shape: int) -> Array:
    return RNG.normal(0, 1, shape).astype(np.float32)


def scalar(value: float) -> Array:
    return np.array(value, np.float32)


def pads(*amounts: int) -> npt.NDArray[np.int64]:
    return np.array(amounts, np.int64)


IMAGE = "(float[batch,8,9,9] x) => (float[batch,6,a,b] y)"
DEPTHWISE = "Conv<group=6, kernel_shape=[3,3], pads=[1,1,1,1]>"
STRIDED = "Conv<kernel_shape=[3,3], strides=[2,2], pads=[0,0,1,1]>"

KERNEL, BIAS = random(6, 8, 3, 3), random(6)
SCALE, SHIFT = random(1, 6, 1, 1), random(1, 6, 1, 1)
POINTWISE = {"p": random(6, 8, 1, 1)}
SCALED = "{ c = Conv<kernel_shape=[3,3]>(x, w)  y = Mul(c, s) }"
RESCALED = """{ f = Cast<to=1>(x)  m = Mul(f, s)  a = Add(m, t)  h = Transpose<perm=[0,3,1,2]>(a)
                y = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(h, w) }"""
PADDED = "{ z = Pad(x, n)  y = Conv<kernel_shape=[3,3], strides=[2,2]>(z, w) }"


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


WORKS: dict[str, tuple[str, Constants, tuple[Match, ...], dict[str, int]]] = {
    "a scale behind a convolution": (
        IMAGE + SCALED,
        {"w": KERNEL, "s": SCALE},
        (conv.scale_into_conv,),
        {"Conv": 1},
    ),
    "a scalar in front of the operator sign": (
        IMAGE + "{ c = Conv<kernel_shape=[3,3]>(x, w, b)  y = Mul(s, c) }",
        {"w": KERNEL, "b": BIAS, "s": scalar(0.37)},
        (conv.scale_into_conv,),
        {"Conv": 1},
    ),
    "a batch norm behind a depthwise convolution": (
        IMAGE + "{ a = Conv<kernel_shape=[1,1]>(x, p)  c = " + DEPTHWISE + "(a, w)  m = Mul(c, s)  y = Add(t, m) }",
        {**POINTWISE, "w": random(6, 1, 3, 3), "s": SCALE, "t": SHIFT},
        (conv.scale_into_conv, conv.shift_into_conv),
        {"Conv": 2},
    ),
    "zero padding in front of a convolution": (
        IMAGE + PADDED,
        {"w": KERNEL, "n": pads(0, 0, 0, 1, 0, 0, 2, 1)},
        (conv.pad_into_conv,),
        {"Conv": 1},
    ),
    "padding in front of a convolution that pads": (
        IMAGE + "{ z = Pad(x, n, v)  y = Conv<kernel_shape=[3,3], pads=[1,0,1,0]>(z, w) }",
        {"w": KERNEL, "n": pads(0, 0, 0, 1, 0, 0, 1, 1), "v": scalar(0)},
        (conv.pad_into_conv,),
        {"Conv": 1},
    ),
    "Keras's uneven padding of a stride-2 convolution": (
        IMAGE + "{ y = " + STRIDED + "(x, w, b) }",
        {"w": KERNEL, "b": BIAS},
        (conv.symmetric_pads,),
        {"Conv": 1},
    ),
    "uneven padding the other way round": (
        IMAGE + "{ y = Conv<kernel_shape=[3,3], strides=[2,1], pads=[2,1,0,3]>(x, w) }",
        {"w": KERNEL},
        (conv.symmetric_pads,),
        {"Conv": 1},
    ),
    "the rescaling in front of a padding convolution": (
        "(uint8[batch,9,9,8] x) => (float[batch,6,a,b] y) " + RESCALED,
        {"w": KERNEL, "s": scalar(1 / 127.5), "t": scalar(-1)},
        (conv.input_scale_into_conv,),
        {"Cast": 1, "Add": 1, "Transpose": 1, "Conv": 1},
    ),
    "a dense layer with bias and temperature": (
        "(float[batch,8] x) => (float[batch,6] y) { m = MatMul(x, w)  a = Add(m, b)  y = Mul(a, k) }",
        {"w": random(8, 6), "b": BIAS, "k": scalar(1 / 1.7)},
        (dense.matmul_to_gemm, dense.shift_into_gemm, dense.scale_into_gemm),
        {"Gemm": 1},
    ),
    "an Identity inside and one at the end": (
        "(float[batch,8] x) => (float[batch,6] y) { i = Identity(x)  m = MatMul(i, w)  y = Identity(m) }",
        {"w": random(8, 6)},
        (tidy.drop_no_op,),
        {"MatMul": 1},
    ),
    "a Cast to the type that is there": (
        "(float[batch,8] x) => (float[batch,6] y) { i = Cast<to=1>(x)  y = MatMul(i, w) }",
        {"w": random(8, 6)},
        (tidy.drop_no_op,),
        {"MatMul": 1},
    ),
    "a branch that nobody reads": (
        "(float[batch,8] x) => (float[batch,8] y) { d = Relu(x)  e = Neg(d)  y = Abs(x) }",
        {},
        (tidy.drop_dead,),
        {"Abs": 1},
    ),
}


@pytest.mark.parametrize("case", WORKS)
def test_pass_shortens_the_graph_and_keeps_the_answers(case: str) -> None:
    text, constants, matches, counts = WORKS[case]
    before = build(text, constants)
    after = passed(before, *matches)
    onnx.checker.check_model(after, full_check=True)
    assert node_counts(after) == counts
    for old, new in zip(answers(before), answers(after), strict=True):
        assert new.shape == old.shape
        assert np.abs(new - old).max() < 2e-6 * np.abs(old).max()


REFUSED: dict[str, tuple[str, Constants, Match]] = {
    "the unscaled convolution is read elsewhere": (
        IMAGE + "{ c = Conv<kernel_shape=[3,3]>(x, w)  m = Mul(c, s)  y = Sub(m, c) }",
        {"w": KERNEL, "s": SCALE},
        conv.scale_into_conv,
    ),
    "the unscaled convolution is an output": (
        "(float[batch,8,9,9] x) => (float[batch,6,7,7] y, float[batch,6,7,7] c) " + SCALED,
        {"w": KERNEL, "s": SCALE},
        conv.scale_into_conv,
    ),
    "the scale varies along the width": (
        IMAGE + "{ c = Conv<kernel_shape=[4,4]>(x, w)  y = Mul(c, s) }",
        {"w": random(6, 8, 4, 4), "s": random(6)},
        conv.scale_into_conv,
    ),
    "the shift is no constant": (
        IMAGE + "{ c = Conv<kernel_shape=[3,3]>(x, w)  r = Relu(c)  y = Add(c, r) }",
        {"w": KERNEL},
        conv.shift_into_conv,
    ),
    "the padding is not zero": (
        IMAGE + "{ z = Pad(x, n, v)  y = Conv<kernel_shape=[3,3], strides=[2,2]>(z, w) }",
        {"w": KERNEL, "n": pads(0, 0, 0, 0, 0, 0, 1, 1), "v": scalar(0.5)},
        conv.pad_into_conv,
    ),
    "the padding mirrors": (
        IMAGE
        + "{ z = Pad<mode='reflect'>(x, n)  y = Conv<kernel_shape=[3,3], strides=[2,2]>(z, w) }".replace("'", '"'),
        {"w": KERNEL, "n": pads(0, 0, 0, 0, 0, 0, 1, 1)},
        conv.pad_into_conv,
    ),
    "the padding adds channels": (
        IMAGE + "{ z = Pad(x, n)  y = Conv<kernel_shape=[3,3]>(z, w) }",
        {"w": random(6, 9, 3, 3), "n": pads(0, 1, 0, 0, 0, 0, 1, 1)},
        conv.pad_into_conv,
    ),
    "the padding crops": (
        IMAGE + PADDED,
        {"w": KERNEL, "n": pads(0, 0, -1, 0, 0, 0, 0, 0)},
        conv.pad_into_conv,
    ),
    "the uneven convolution is dilated": (
        IMAGE + "{ y = Conv<kernel_shape=[3,3], dilations=[2,2], pads=[0,0,1,1]>(x, w) }",
        {"w": KERNEL},
        conv.symmetric_pads,
    ),
    "the pads are even": (
        IMAGE + "{ y = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w) }",
        {"w": KERNEL},
        conv.symmetric_pads,
    ),
    "the input is scaled per channel": (
        IMAGE + "{ m = Mul(x, s)  a = Add(m, t)  y = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(a, w) }",
        {"w": KERNEL, "s": random(1, 8, 1, 1), "t": scalar(-1)},
        conv.input_scale_into_conv,
    ),
    "the matrix product has three dimensions": (
        "(float[batch,5,8] x) => (float[batch,5,6] y) { y = MatMul(x, w) }",
        {"w": random(8, 6)},
        dense.matmul_to_gemm,
    ),
    "the dense bias varies along the batch": (
        "(float[3,8] x) => (float[3,6] y) { g = Gemm(x, w)  y = Add(g, b) }",
        {"w": random(8, 6), "b": random(3, 1)},
        dense.shift_into_gemm,
    ),
    "the Gemm is transposed": (
        "(float[batch,8] x) => (float[batch,6] y) { g = Gemm<transB=1>(x, w)  y = Mul(g, k) }",
        {"w": random(6, 8), "k": scalar(0.5)},
        dense.scale_into_gemm,
    ),
    "the Cast changes the type": (
        "(uint8[batch,8] x) => (float[batch,8] y) { c = Cast<to=1>(x)  y = Relu(c) }",
        {},
        tidy.drop_no_op,
    ),
    "the Identity joins two outputs": (
        "(float[batch,8] x) => (float[batch,8] y, float[batch,8] z) { z = Relu(x)  y = Identity(z) }",
        {},
        tidy.drop_no_op,
    ),
    "the scale adds a dimension": (
        "(float[batch,8,9,9] x) => (float[1,batch,6,a,b] y) { c = Conv<kernel_shape=[3,3]>(x, w)  y = Mul(c, s) }",
        {"w": KERNEL, "s": random(1, 1, 1, 1, 1)},
        conv.scale_into_conv,
    ),
    "the Identity joins an input to an output": (
        "(float[batch,8] x) => (float[batch,8] y) { y = Identity(x) }",
        {},
        tidy.drop_no_op,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pass_leaves_alone_where(case: str) -> None:
    text, constants, match = REFUSED[case]
    model = build(text, constants)
    assert passed(model, match).graph.node == to_model(from_model(model)).graph.node


def test_symmetric_padding_is_bit_exact_and_square() -> None:
    before = build(IMAGE + "{ y = " + STRIDED + "(x, w, b) }", {"w": KERNEL, "b": BIAS})
    after = passed(before, conv.symmetric_pads)
    attributes = from_model(after).nodes[0].attributes
    assert (attributes["pads"], attributes["kernel_shape"]) == ([1, 1, 1, 1], [4, 4])
    np.testing.assert_array_equal(answers(before)[0], answers(after)[0])


def test_names_do_not_depend_on_those_of_the_exporter() -> None:
    text = "(float[n17,8] x) => (float[n18,6] y) {{ {0} = MatMul(x, {1})  y = Softmax({0}) }}"
    weight = random(8, 6)
    one, other = (build(text.format(*names), {names[1]: weight}) for names in (("layer_1", "w_9"), ("layer_2", "w_3")))
    assert clean(one).SerializeToString(deterministic=True) == clean(other).SerializeToString(deterministic=True)
    assert clean(one).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_cleaning_leaves_the_given_model_as_it_was() -> None:
    model = build(IMAGE + SCALED, {"w": KERNEL, "s": SCALE})
    before = model.SerializeToString()
    clean(model)
    assert model.SerializeToString() == before
