"""The graph of a model as learning reads and changes it: the head, and the centres of familiarity."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from contract.geometry import Pixels
from contract.metadata import FAMILIARITY_NAME, NEAREST_NAME, OUTPUT_NAME
from convert.head import cut_at
from convert.head import features_of as run_features
from convert.smaller.measure import one_thread
from learn.errors import LearnError
from learn.fitting.layer import Floats, Ints

ROUNDINGS = ("Cast", "QuantizeLinear", "DequantizeLinear")


class Parts(NamedTuple):
    """What learning changes of a graph.

    Attributes:
        kernel: float32 [F, classes].
        bias: float32 [classes].
        centres: float32 [K, B] of unit length, of the classes.
        classes: class of each centre, [K].
        others: float32 [M, B] of unit length, of other kinds of photos; M may be 0.
    """

    kernel: Floats
    bias: Floats
    centres: Floats
    classes: Ints
    others: Floats


def parts_of(proto: onnx.ModelProto) -> Parts:
    """Read them.

    Raises:
        LearnError: the graph is none that `convert` makes of the broad network.
    """
    nodes = Nodes(proto)
    centres = np.ascontiguousarray(nodes.constant(nodes.centres.input[1]).T)
    others = np.zeros((0, centres.shape[1]), np.float32)
    if nodes.others is not None:
        others = np.ascontiguousarray(nodes.constant(nodes.others.input[1]).T)
    classes = nodes.constant(nodes.gather.input[0]).astype(np.int64)
    kernel, bias = (nodes.constant(name) for name in nodes.head.input[1:])
    return Parts(kernel, bias, centres, classes, others)


def features_of(proto: onnx.ModelProto) -> Callable[[Pixels], Floats]:
    """Return what gives the features under the head: uint8 [N, S, S, 3] -> float32 [N, F], task before broad."""
    return _computed(proto, Nodes(proto).head.input[0])


def broad_features_of(proto: onnx.ModelProto) -> Callable[[Pixels], Floats]:
    """Return what gives the broad features alone, at unit length: uint8 [N, S, S, 3] -> float32 [N, B]."""
    return _computed(proto, Nodes(proto).centres.input[0])


def _computed(proto: onnx.ModelProto, features: str) -> Callable[[Pixels], Floats]:
    return partial(run_features, one_thread(cut_at(proto, features)))


def with_head(proto: onnx.ModelProto, head: Parts, key: str, text: str) -> onnx.ModelProto:
    """Return the graph with another head, and with a text in its metadata; the contract is not set."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    _set_head(made, Nodes(made), head)
    kept = {prop.key: prop.value for prop in made.metadata_props} | {key: text}
    helper.set_model_props(made, kept)
    return made


def with_fresh_head(proto: onnx.ModelProto, head: Parts) -> onnx.ModelProto:
    """Return the broad network of a graph with a head of its own; what the head does not need is left out."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    nodes = Nodes(made)
    nodes.head.input[0] = nodes.centres.input[0]
    _set_head(made, nodes, head)
    del made.metadata_props[:]
    _prune(made.graph)
    return made


def _set_head(made: onnx.ModelProto, nodes: "Nodes", head: Parts) -> None:
    nodes.set(nodes.head.input[1], head.kernel)
    nodes.set(nodes.head.input[2], head.bias)
    nodes.set(nodes.centres.input[1], head.centres.T)
    nodes.set(nodes.gather.input[0], head.classes)
    if nodes.others is not None:
        nodes.set(nodes.others.input[1], head.others.T)
    output = next(one for one in made.graph.output if one.name == OUTPUT_NAME)
    output.type.tensor_type.shape.dim[1].dim_value = len(head.bias)


def _prune(graph: onnx.GraphProto) -> None:
    """Remove nodes and constants that no output needs."""
    needed, kept = {one.name for one in graph.output}, list[onnx.NodeProto]()
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    constants = [one for one in graph.initializer if one.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


class Nodes:
    """The nodes of a graph that learning reads and changes.

    Raises:
        LearnError: the graph is none that `convert` makes of two tails.
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        self._graph = proto.graph
        self._made_by = {name: node for node in proto.graph.node for name in node.output}
        self._constants = {each.name: each for each in proto.graph.initializer}
        try:
            self.head = self._of(self._made_by[OUTPUT_NAME].input[0], "Gemm", 3)
            self.gather = self._made_by[NEAREST_NAME]
            self.centres = self._of(self._made_by[self.gather.input[1]].input[0], "Gemm", 2)
            self.others = self._others()
            if self._plain(self.head.input[0]).op_type not in ("Concat", "Mul") or self.gather.op_type != "Gather":
                raise KeyError(self.head.input[0])
        except (KeyError, IndexError) as error:
            raise LearnError("This model has no head that can learn. Train one with the default recipe.") from error

    def constant(self, name: str) -> Any:
        """The value of a constant; float32 in every precision, if it is no integer."""
        found = numpy_helper.to_array(self._constants[name])
        return found.astype(np.float32) if found.dtype == np.float16 else found

    def set(self, name: str, value: Any) -> None:
        """Replace a constant."""
        was = self._constants[name]
        kind = numpy_helper.to_array(was).dtype
        was.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))

    def _of(self, name: str, op_type: str, inputs: int) -> onnx.NodeProto:
        node = self._made_by[name]
        if node.op_type != op_type or len(node.input) < inputs or node.attribute:
            raise KeyError(name)
        return node

    def _plain(self, name: str) -> onnx.NodeProto:
        """The node that computes a value, above the roundings of a smaller precision."""
        node = self._made_by[name]
        while node.op_type in ROUNDINGS:
            node = self._made_by[node.input[0]]
        return node

    def _others(self) -> onnx.NodeProto | None:
        """The product with the centres of other kinds of photos; None where the model has none."""
        node = self._plain(FAMILIARITY_NAME)
        if node.op_type != "Sub":
            return None
        relu = next(one for one in (self._made_by.get(name) for name in self._made_by[node.input[1]].input) if one)
        return self._of(self._made_by[relu.input[0]].input[0], "Gemm", 2)
