"""Passes that keep the computation: remove no-ops, give stable names, name the batch dimension."""

from collections import Counter
from dataclasses import replace

import onnx

from convert.errors import ExportError
from convert.graph import Graph, Node, Rewrite, renamed

BATCH = "batch"


def drop_no_op(graph: Graph, node: Node) -> Rewrite | None:
    """Remove an Identity, or a Cast to the type that the tensor already has."""
    source, target = (node.inputs[0], node.outputs[0]) if node.inputs else ("", "")
    same_cast = node.op == "Cast" and graph.types.get(source) == node.attributes["to"]
    if node.op != "Identity" and not same_cast:
        return None
    if not graph.is_output(target):
        return Rewrite({node.key: None}, rename={target: source})
    # The graph's output keeps its name, so the node that writes the value must write it under that name.
    joined = graph.producer(source) is None or graph.is_output(source)
    return None if joined else Rewrite({node.key: None}, rename={source: target})


def drop_round_trip(graph: Graph, node: Node) -> Rewrite | None:
    """Replace a Cast from float32 to float16 and back, which only rounds, by an Identity."""
    inner = graph.producer(node.inputs[0]) if node.op == "Cast" else None
    if inner is None or inner.op != "Cast" or node.attributes["to"] != onnx.TensorProto.FLOAT:
        return None
    halved = inner.attributes["to"] == onnx.TensorProto.FLOAT16
    if not halved or graph.types.get(inner.inputs[0]) != onnx.TensorProto.FLOAT:
        return None
    return Rewrite({node.key: Node("Identity", inner.inputs, node.outputs)})


def drop_dead(graph: Graph, node: Node) -> Rewrite | None:
    """Remove a node whose outputs no node reads."""
    if any(graph.is_output(name) or graph.readers(name) for name in node.outputs):
        return None
    return Rewrite({node.key: None})


def in_order(graph: Graph) -> Graph:
    """Sort nodes so that each one follows the nodes that it reads.

    Raises:
        ExportError: the graph has a cycle.
    """
    known = {"", *graph.constants, *(value.name for value in graph.inputs)}
    waiting, ordered = list(graph.nodes), list[Node]()
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.inputs)]
        if not ready:
            raise ExportError(
                f"The exported graph reads {waiting[0].inputs[0]}, which no node writes. Please report this."
            )
        ordered += ready
        known.update(name for node in ready for name in node.outputs)
        keys = {node.key for node in ready}
        waiting = [node for node in waiting if node.key not in keys]
    return replace(graph, nodes=tuple(ordered))


def name_batch(graph: Graph) -> Graph:
    """Name the first dimension of every input and output `batch`, because tf2onnx numbers it differently each time."""
    return replace(
        graph,
        inputs=tuple(_batch_named(value) for value in graph.inputs),
        outputs=tuple(_batch_named(value) for value in graph.outputs),
    )


def _batch_named(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    named = onnx.ValueInfoProto()
    named.CopyFrom(value)
    named.type.tensor_type.shape.dim[0].dim_param = BATCH
    return named


def name_by_position(graph: Graph) -> Graph:
    """Name tensors by operator and position (`conv_3`, `conv_3.1`), except inputs and outputs of the graph.

    Keras and tf2onnx number layers and tensors per process. With these names the same run gives the same bytes.
    """
    kept = {value.name for value in (*graph.inputs, *graph.outputs)}
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for node in graph.nodes:
        label = f"{node.op.lower()}_{seen[node.op]}"
        seen[node.op] += 1
        written = {name: f"{label}/{i}" if i else label for i, name in enumerate(node.outputs) if name}
        constants = {name: f"{label}.{i}" for i, name in enumerate(node.inputs) if name in graph.constants}
        names.update(
            {old: new for old, new in {**constants, **written}.items() if old not in kept and old not in names}
        )
    return replace(
        graph,
        nodes=tuple(renamed(node, names) for node in graph.nodes),
        constants={names.get(name, name): values for name, values in graph.constants.items()},
        ranks={names.get(name, name): rank for name, rank in graph.ranks.items()},
        types={names.get(name, name): kind for name, kind in graph.types.items()},
    )
