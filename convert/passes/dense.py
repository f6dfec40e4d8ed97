"""Passes around fully connected layers: merge MatMul, Add and the temperature into one Gemm."""

from dataclasses import replace

import numpy as np

from convert.graph import Array, Graph, Node, Rewrite


def matmul_to_gemm(graph: Graph, node: Node) -> Rewrite | None:
    """MatMul with a constant matrix becomes a Gemm, which can take a bias."""
    if node.op != "MatMul" or graph.ranks.get(node.inputs[0]) != 2 or node.inputs[1] not in graph.constants:
        return None
    return Rewrite({node.key: replace(node, op="Gemm")}) if graph.constants[node.inputs[1]].ndim == 2 else None


def shift_into_gemm(graph: Graph, node: Node) -> Rewrite | None:
    """Merge an Add of one constant per column into the bias of the Gemm before it."""
    found = _gemm_before(graph, node, "Add")
    if found is None:
        return None
    gemm, weight, bias, shift = found
    return _merged(gemm, node, weight, bias + shift)


def scale_into_gemm(graph: Graph, node: Node) -> Rewrite | None:
    """Merge a Mul by a constant (the temperature) into weight and bias of the Gemm before it."""
    found = _gemm_before(graph, node, "Mul")
    if found is None:
        return None
    gemm, weight, bias, scale = found
    return _merged(gemm, node, weight * scale, bias * scale)


def _gemm_before(graph: Graph, node: Node, op: str) -> tuple[Node, Array, Array, Array] | None:
    """(gemm, weight, bias, per-column constant), in float64, if `node` is an `op` that can be merged into a Gemm."""
    operand = graph.constant_operand(node) if node.op == op else None
    gemm = graph.private_producer(operand[0], "Gemm") if operand is not None else None
    if operand is None or gemm is None or gemm.attributes or any(n not in graph.constants for n in gemm.inputs[1:]):
        return None
    weight = graph.constants[gemm.inputs[1]].astype(np.float64)
    columns = weight.shape[1]
    if operand[1].shape not in ((), (1,), (1, 1), (columns,), (1, columns)):
        return None
    bias = graph.constants[gemm.inputs[2]].astype(np.float64) if len(gemm.inputs) > 2 else np.zeros(columns)
    return gemm, weight, bias, np.broadcast_to(operand[1].astype(np.float64).reshape(-1), (columns,))


def _merged(gemm: Node, after: Node, weight: Array, bias: Array) -> Rewrite:
    names = f"{after.key}/weight", f"{after.key}/bias"
    merged = replace(gemm, inputs=(gemm.inputs[0], *names), outputs=after.outputs)
    constants = {names[0]: weight.astype(np.float32), names[1]: bias.astype(np.float32)}
    return Rewrite({gemm.key: None, after.key: merged}, constants)
