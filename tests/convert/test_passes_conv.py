"""The passes around convolutions, each alone: answers stay, nodes go, and where one would be wrong it keeps away."""

import numpy as np
import pytest

from convert.graph import from_model
from convert.passes import conv
from tests.convert.graphs import Refused, Works, answers, build, leaves_alone, pads, passed, random, scalar, shortens

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

WORKS: Works = {
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
}

REFUSED: Refused = {
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
    "the scale adds a dimension": (
        "(float[batch,8,9,9] x) => (float[1,batch,6,a,b] y) { c = Conv<kernel_shape=[3,3]>(x, w)  y = Mul(c, s) }",
        {"w": KERNEL, "s": random(1, 1, 1, 1, 1)},
        conv.scale_into_conv,
    ),
}


@pytest.mark.parametrize("case", WORKS)
def test_pass_shortens_the_graph_and_keeps_the_answers(case: str) -> None:
    shortens(WORKS, case)


@pytest.mark.parametrize("case", REFUSED)
def test_pass_leaves_alone_where(case: str) -> None:
    leaves_alone(REFUSED, case)


def test_symmetric_padding_is_bit_exact_and_square() -> None:
    before = build(IMAGE + "{ y = " + STRIDED + "(x, w, b) }", {"w": KERNEL, "b": BIAS})
    after = passed(before, conv.symmetric_pads)
    attributes = from_model(after).nodes[0].attributes
    assert (attributes["pads"], attributes["kernel_shape"]) == ([1, 1, 1, 1], [4, 4])
    np.testing.assert_array_equal(answers(before)[0], answers(after)[0])
