"""The features under the last layer of a model file, and that layer: the head that learning begins from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.learn.layer import Floats, Layer
from contract.geometry import Pixels
from contract.metadata import INPUT_NAME, OUTPUT_NAME

BATCH = 32


def open_cut(model: Path) -> tuple[Callable[[Pixels], Floats], Layer]:
    """Cut a model before its last layer.

    Returns:
        What gives the features of photos, uint8 [N, S, S, 3] -> float32 [N, F], and the layer that was cut off.
    """
    proto = onnx.load(model)
    made_by = {name: node for node in proto.graph.node for name in node.output}
    constants = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    gemm = made_by[made_by[OUTPUT_NAME].input[0]]
    features, kernel, bias = gemm.input
    task = made_by[made_by[features].input[0]] if made_by[features].op_type == "Concat" else None
    if gemm.op_type != "Gemm" or gemm.attribute or task is None:
        raise SystemExit(f"{model} has no plain last layer on two tails. Pass a model of the default recipe.")
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info(features, TensorProto.FLOAT, ["batch", None]))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def compute(photos: Pixels) -> Floats:
        parts = [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]
        return np.vstack([session.run([features], {INPUT_NAME: part})[0] for part in parts])

    # The broad half has as many features as the task half, because the task tail is a copy of the broad one.
    return compute, Layer(constants[kernel], constants[bias], constants[kernel].shape[0] // 2)
