"""An ONNX graph as immutable values, so that a pass is a pure function from graph to graph.

Protocol buffers are mutable and have no index. `from_model` reads nodes and constants once, passes rewrite them, and
`to_model` writes one clean file. Subgraphs and foreign operator domains are not supported: image classifiers have none.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, shape_inference

from convert.errors import ExportError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operator call. `outputs[0]` identifies it, because no two nodes of a graph write the same name."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name by which rewrites refer to this node."""
        return self.outputs[0]


@dataclass(frozen=True)
class Rewrite:
    """The changes of one match.

    Attributes:
        replace: node key -> the node that replaces it, or None to remove it.
        constants: constants to add. Their names derive from the outputs that use them, so names cannot collide.
        rename: tensor name -> the name that all readers and writers use from now on.
    """

    replace: Mapping[str, Node | None]
    constants: Mapping[str, Array] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)


Match = Callable[["Graph", Node], Rewrite | None]


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, constants by name, and the inferred rank and type of each tensor."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    inputs: tuple[onnx.ValueInfoProto, ...]
    outputs: tuple[onnx.ValueInfoProto, ...]
    ranks: Mapping[str, int]
    types: Mapping[str, int]
    opset: int

    def producer(self, name: str) -> Node | None:
        """The node that writes `name`; None for graph inputs and constants."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def readers(self, name: str) -> list[Node]:
        """All nodes that read `name`."""
        return [node for node in self.nodes if name in node.inputs]

    def is_output(self, name: str) -> bool:
        """Whether `name` is an output of the graph, which must not disappear."""
        return any(value.name == name for value in self.outputs)

    def private_producer(self, name: str, *ops: str) -> Node | None:
        """The node of one of `ops` that writes `name`, if it has exactly one reader, so that both can be merged."""
        node = self.producer(name)
        if node is None or node.op not in ops or self.is_output(name) or len(self.readers(name)) != 1:
            return None
        return node

    def constant_operand(self, node: Node) -> tuple[str, Array] | None:
        """(the other input's name, the constant) of a two-operand node with exactly one constant operand."""
        known = [name in self.constants for name in node.inputs]
        if len(known) != 2 or known[0] == known[1]:
            return None
        variable, constant = (node.inputs[1], node.inputs[0]) if known[0] else node.inputs
        return variable, self.constants[constant]

    def count(self) -> Counter[str]:
        """Nodes per operator."""
        return Counter(node.op for node in self.nodes)


def apply(graph: Graph, match: Match) -> Graph:
    """Rewrite the graph until `match` finds nothing more."""
    while (rewrite := next(filter(None, (match(graph, node) for node in graph.nodes)), None)) is not None:
        graph = _rewritten(graph, rewrite)
    return graph


def _rewritten(graph: Graph, rewrite: Rewrite) -> Graph:
    kept = (rewrite.replace.get(node.key, node) for node in graph.nodes)
    nodes = tuple(renamed(node, rewrite.rename) for node in kept if node is not None)
    return replace(graph, nodes=nodes, constants={**graph.constants, **rewrite.constants})


def renamed(node: Node, names: Mapping[str, str]) -> Node:
    """Return `node` with its tensor names replaced as in `names`; other names stay."""
    inputs = tuple(names.get(name, name) for name in node.inputs)
    return replace(node, inputs=inputs, outputs=tuple(names.get(name, name) for name in node.outputs))


def from_model(model: onnx.ModelProto) -> Graph:
    """Read a model.

    Raises:
        ExportError: it has subgraphs or foreign operator domains, which the passes do not support.
    """
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        raise ExportError(
            f"The exported graph uses operators of {', '.join(foreign)}, which some runtimes lack. Train another model."
        )
    inferred = shape_inference.infer_shapes(model).graph
    tensors = [*inferred.value_info, *inferred.input, *inferred.output]
    return Graph(
        nodes=tuple(_node(proto) for proto in model.graph.node),
        constants={proto.name: numpy_helper.to_array(proto) for proto in model.graph.initializer},
        inputs=tuple(model.graph.input),
        outputs=tuple(model.graph.output),
        ranks={v.name: len(v.type.tensor_type.shape.dim) for v in tensors if v.type.tensor_type.HasField("shape")},
        types={value.name: value.type.tensor_type.elem_type for value in tensors},
        opset=next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
    )


def _node(proto: onnx.NodeProto) -> Node:
    for attribute in proto.attribute:
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            raise ExportError(f"The exported graph holds a control-flow node ({proto.op_type}). Train another network.")
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes)


def to_model(graph: Graph) -> onnx.ModelProto:
    """Write the graph as a model, without constants that no node reads."""
    read = dict.fromkeys(name for node in graph.nodes for name in node.inputs)
    proto = helper.make_graph(
        [
            helper.make_node(node.op, node.inputs, node.outputs, name=node.key, **dict(sorted(node.attributes.items())))
            for node in graph.nodes
        ],
        "phototriage",
        list(graph.inputs),
        list(graph.outputs),
        [_initializer(graph.constants[name], name) for name in read if name in graph.constants],
    )
    # IR 8 belongs to opset 17. Newer IR versions only exclude older runtimes.
    return helper.make_model(
        proto, producer_name="phototriage", opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=8
    )


def _initializer(values: Array, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values) if values.ndim else values, name)
