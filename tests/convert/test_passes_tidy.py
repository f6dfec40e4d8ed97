"""The other passes, each alone, and what all of them together leave as it was."""

import pytest

from convert.clean import clean
from convert.passes import dense, tidy
from tests.convert.graphs import Refused, Works, build, leaves_alone, random, scalar, shortens

WORKS: Works = {
    "a dense layer with bias and temperature": (
        "(float[batch,8] x) => (float[batch,6] y) { m = MatMul(x, w)  a = Add(m, b)  y = Mul(a, k) }",
        {"w": random(8, 6), "b": random(6), "k": scalar(1 / 1.7)},
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

REFUSED: Refused = {
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
    "the Identity joins an input to an output": (
        "(float[batch,8] x) => (float[batch,8] y) { y = Identity(x) }",
        {},
        tidy.drop_no_op,
    ),
}


@pytest.mark.parametrize("case", WORKS)
def test_pass_shortens_the_graph_and_keeps_the_answers(case: str) -> None:
    shortens(WORKS, case)


@pytest.mark.parametrize("case", REFUSED)
def test_pass_leaves_alone_where(case: str) -> None:
    leaves_alone(REFUSED, case)


def test_names_do_not_depend_on_those_of_the_exporter() -> None:
    text = "(float[n17,8] x) => (float[n18,6] y) {{ {0} = MatMul(x, {1})  y = Softmax({0}) }}"
    weight = random(8, 6)
    one, other = (build(text.format(*names), {names[1]: weight}) for names in (("layer_1", "w_9"), ("layer_2", "w_3")))
    assert clean(one).SerializeToString(deterministic=True) == clean(other).SerializeToString(deterministic=True)
    assert clean(one).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_cleaning_leaves_the_given_model_as_it_was() -> None:
    text, constants, *_ = WORKS["a dense layer with bias and temperature"]
    model = build(text, constants)
    before = model.SerializeToString()
    clean(model)
    assert model.SerializeToString() == before
