"""Passes around convolutions: merge the scale, shift or pad beside a convolution into it.

tf2onnx 1.17.0 folds batch norms into plain convolutions. It leaves those after depthwise convolutions as Mul and Add
(17 of each in MobileNetV2), and ZeroPadding2D of Keras as Pad.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from convert.graph import Array, Graph, Node, Rewrite


def scale_into_conv(graph: Graph, node: Node) -> Rewrite | None:
    """Merge a Mul by one constant per channel into kernel and bias of the Conv before it."""
    found = _conv_before(graph, node, "Mul")
    if found is None:
        return None
    conv, kernel, bias, scale = found
    return _merged(conv, node, kernel * scale.reshape(-1, 1, 1, 1), bias * scale)


def shift_into_conv(graph: Graph, node: Node) -> Rewrite | None:
    """Merge an Add of one constant per channel into the bias of the Conv before it."""
    found = _conv_before(graph, node, "Add")
    if found is None:
        return None
    conv, kernel, bias, shift = found
    return _merged(conv, node, kernel, bias + shift)


def pad_into_conv(graph: Graph, node: Node) -> Rewrite | None:
    """Merge a Pad with zeros in height and width into the Conv after it."""
    pad = graph.private_producer(node.inputs[0], "Pad") if node.op == "Conv" else None
    if pad is None or not _zero_padding(graph, pad) or node.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        return None
    top, left, bottom, right = graph.constants[pad.inputs[1]].reshape(2, 4)[:, 2:].reshape(-1)
    own = node.attributes.get("pads", [0, 0, 0, 0])
    pads = [int(a + b) for a, b in zip(own, (top, left, bottom, right), strict=True)]
    conv = replace(node, inputs=(pad.inputs[0], *node.inputs[1:]), attributes={**node.attributes, "pads": pads})
    return Rewrite({pad.key: None, node.key: conv})


def symmetric_pads(graph: Graph, node: Node) -> Rewrite | None:
    """Make the pads of a Conv symmetric, by adding zero rows and columns to its kernel.

    cuDNN has symmetric padding only (onnxruntime #3414), and Keras pads stride-2 convolutions [0, 0, 1, 1]. With a zero
    row above and a zero column left of the kernel and pads [1, 1, 1, 1] every window sees the same pixels with the same
    weights, so the result is bit-exact; on the CPU it costs 1-7 %, where a separate Pad costs 13-25 %.
    """
    pads = node.attributes.get("pads", [0, 0, 0, 0])
    if node.op != "Conv" or len(pads) != 4 or pads[:2] == pads[2:] or not _kernel_may_grow(graph, node):
        return None
    kernel = graph.constants[node.inputs[1]]
    (top, left), (bottom, right) = pads[:2], pads[2:]
    even = [max(top, bottom), max(left, right)]
    rows, columns = (even[0] - top, even[0] - bottom), (even[1] - left, even[1] - right)
    grown = np.pad(kernel, ((0, 0), (0, 0), rows, columns))
    name = f"{node.key}/grown_kernel"
    attributes = {**node.attributes, "pads": even * 2, "kernel_shape": list(grown.shape[2:])}
    conv = replace(node, inputs=(node.inputs[0], name, *node.inputs[2:]), attributes=attributes)
    return Rewrite({node.key: conv}, {name: grown})


def _kernel_may_grow(graph: Graph, node: Node) -> bool:
    dilations = node.attributes.get("dilations", [1, 1])
    return node.inputs[1] in graph.constants and all(dilation == 1 for dilation in dilations)


def input_scale_into_conv(graph: Graph, node: Node) -> Rewrite | None:
    """Merge the Mul before an Add and the first Conv (Keras's Rescaling, by scalars) into the kernel.

    x * s + t = (x + t / s) * s. Only the scale moves: the convolution pads with zeros after the shift, so a shift
    folded into the bias would be wrong along the border, where a window sees fewer pixels.
    """
    add = _shift_before(graph, node) if node.op == "Conv" else None
    scaled = graph.constant_operand(add) if add is not None else None
    mul = graph.private_producer(scaled[0], "Mul") if scaled is not None else None
    factor = graph.constant_operand(mul) if mul is not None else None
    if add is None or scaled is None or mul is None or factor is None or node.inputs[1] not in graph.constants:
        return None
    (source, scale), (_, shift) = factor, scaled
    if scale.size != 1 or shift.size != 1 or not scale.any():
        return None
    moved, kernel = f"{add.key}/shift", f"{node.key}/scaled_kernel"
    constants = {
        moved: (shift.astype(np.float64) / scale.astype(np.float64)).astype(np.float32).reshape(()),
        kernel: (graph.constants[node.inputs[1]].astype(np.float64) * scale.item()).astype(np.float32),
    }
    conv = replace(node, inputs=(node.inputs[0], kernel, *node.inputs[2:]))
    return Rewrite({mul.key: None, add.key: replace(add, inputs=(source, moved)), node.key: conv}, constants)


def _shift_before(graph: Graph, conv: Node) -> Node | None:
    """The Add before a convolution; a Transpose may lie between."""
    transpose = graph.private_producer(conv.inputs[0], "Transpose")
    return graph.private_producer(transpose.inputs[0] if transpose else conv.inputs[0], "Add")


def _zero_padding(graph: Graph, pad: Node) -> bool:
    """Whether `pad` adds constant zeros to the last two of four dimensions only."""
    amounts = graph.constants.get(pad.inputs[1])
    value = graph.constants.get(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else np.zeros(1)
    if amounts is None or value is None or amounts.size != 8 or value.any():
        return False
    constant = pad.attributes.get("mode", b"constant") == b"constant" and len(pad.inputs) < 4
    return constant and not amounts.reshape(2, 4)[:, :2].any() and bool((amounts >= 0).all())


def _conv_before(graph: Graph, node: Node, op: str) -> tuple[Node, Array, Array, Array] | None:
    """(conv, kernel, bias, constant per channel) in float64, if `node` is an `op` that can be merged into a Conv."""
    operand = graph.constant_operand(node) if node.op == op else None
    conv = graph.private_producer(operand[0], "Conv") if operand is not None else None
    if operand is None or conv is None or any(name not in graph.constants for name in conv.inputs[1:]):
        return None
    kernel = graph.constants[conv.inputs[1]].astype(np.float64)
    channels = kernel.shape[0]
    if not _is_per_channel(operand[1], channels):
        return None
    bias = graph.constants[conv.inputs[2]].astype(np.float64) if len(conv.inputs) > 2 else np.zeros(channels)
    return conv, kernel, bias, np.broadcast_to(operand[1].astype(np.float64).reshape(-1), (channels,))


def _is_per_channel(values: Array, channels: int) -> bool:
    """A scalar, or [channels, 1, 1] with or without a leading 1: what varies along the channel axis alone."""
    return (values.size == 1 and values.ndim <= 4) or values.shape in ((channels, 1, 1), (1, channels, 1, 1))


def _merged(conv: Node, after: Node, kernel: Array, bias: Array) -> Rewrite:
    """The convolution with new constants, writing what `after` wrote."""
    names = f"{after.key}/kernel", f"{after.key}/bias"
    constants: Mapping[str, Array] = {names[0]: kernel.astype(np.float32), names[1]: bias.astype(np.float32)}
    merged = replace(conv, inputs=(conv.inputs[0], *names), outputs=after.outputs)
    return Rewrite({conv.key: None, after.key: merged}, constants)
