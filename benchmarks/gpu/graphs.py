"""Other forms of the shipped model: pads as training had them, explicit pads, fp16, int8."""

from typing import Any

import numpy as np

from benchmarks.gpu.bench import SkippedError, shipped


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise SkippedError("the package onnx is not installed here, so that the graph cannot be changed") from error
    return onnx


def _parsed() -> Any:
    return _onnx().load_model_from_string(shipped())


def asymmetric(*, explicit: bool = False) -> bytes:
    """Take the row and column of zeros out of the kernels that were grown for cuDNN: pads [0, 0, 1, 1] again.

    explicit: the pads as nodes of their own in front of convolutions without pads.
    """
    onnx = _onnx()
    model = _parsed()
    weights = {item.name: item for item in model.graph.initializer}
    changed = 0
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Conv" and _grown(onnx, node, weights):
            kernel = onnx.numpy_helper.to_array(weights[node.input[1]])
            weights[node.input[1]].CopyFrom(
                onnx.numpy_helper.from_array(np.ascontiguousarray(kernel[:, :, 1:, 1:]), node.input[1])
            )
            _set(onnx, node, "kernel_shape", [kernel.shape[2] - 1, kernel.shape[3] - 1])
            _set(onnx, node, "pads", [0, 0, 0, 0] if explicit else [0, 0, 1, 1])
            if explicit:
                nodes.append(_pad(onnx, model, node, changed))
            changed += 1
        nodes.append(node)
    if not changed:
        raise SkippedError("no convolution of the shipped model was grown")
    copies = [_copy(onnx, node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _grown(onnx: Any, node: Any, weights: Any) -> bool:
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    kernel = onnx.numpy_helper.to_array(weights[node.input[1]])
    edge = np.concatenate([kernel[:, :, 0].ravel(), kernel[:, :, :, 0].ravel()])
    return attributes.get("strides") == [2, 2] and kernel.shape[2] > 1 and not edge.any()


def _set(onnx: Any, node: Any, name: str, value: list[int]) -> None:
    for item in list(node.attribute):
        if item.name == name:
            node.attribute.remove(item)
    node.attribute.append(onnx.helper.make_attribute(name, value))


def _pad(onnx: Any, model: Any, node: Any, number: int) -> Any:
    pads, padded = f"bench_pads_{number}", f"bench_padded_{number}"
    amounts = np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int64)
    model.graph.initializer.append(onnx.numpy_helper.from_array(amounts, pads))
    made = onnx.helper.make_node("Pad", [node.input[0], pads], [padded], name=f"bench_pad_{number}")
    node.input[0] = padded
    return made


def _copy(onnx: Any, node: Any) -> Any:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def fp16() -> bytes:
    """Half precision as `phototriage convert --precision fp16` makes it, without its gate."""
    _onnx()
    from convert.smaller.lower import to_fp16

    return bytes(to_fp16(_parsed()).SerializeToString())


def int8(images: Any) -> bytes:
    """int8 as `convert --precision int8` makes it, but from kernels grown for cuDNN, and without its gate."""
    _onnx()
    from convert.smaller.lower import to_int8

    return bytes(to_int8(_parsed(), images).SerializeToString())
