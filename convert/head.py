"""The last linear layer of a model's graph: what it gets, and its weights."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from contract.geometry import Pixels
from contract.metadata import INPUT_NAME, OUTPUT_NAME
from convert.gate import open_on_cpu
from convert.graph import Graph, Node

Floats = NDArray[np.float32]
_CHUNK = 32


@dataclass(frozen=True)
class Head:
    """The linear layer before the softmax. The temperature is part of it.

    Attributes:
        node: the Gemm.
        kernel: float32 [F, classes].
        bias: float32 [classes].
    """

    node: Node
    kernel: Floats
    bias: Floats

    @property
    def features(self) -> str:
        """Name of the tensor that it gets, float32 [batch, F]."""
        return self.node.inputs[0]

    def probabilities(self, features: Floats) -> NDArray[np.float64]:
        """What the model answers for features [N, F], computed in numpy."""
        logits = features.astype(np.float64) @ self.kernel + self.bias
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def head_of(graph: Graph) -> Head | None:
    """The head of a graph; None for one whose last layer is no float32 Gemm under a softmax."""
    softmax = graph.producer(OUTPUT_NAME)
    node = None if softmax is None or softmax.op != "Softmax" else graph.producer(softmax.inputs[0])
    if node is None or node.op != "Gemm" or len(node.inputs) != 3:
        return None
    plain = not node.attributes.get("transA", 0) and node.attributes.get("alpha", 1.0) == 1.0
    known = all(name in graph.constants for name in node.inputs[1:])
    if not plain or not known or node.attributes.get("beta", 1.0) != 1.0:
        return None
    kernel, bias = (graph.constants[name] for name in node.inputs[1:])
    if {kernel.dtype, bias.dtype} != {np.dtype(np.float32)}:
        return None
    return Head(node, kernel.T if node.attributes.get("transB", 0) else kernel, bias.reshape(-1))


def features_session(model: onnx.ModelProto, head: Head) -> ort.InferenceSession:
    """A session of the model with one output: the features that its head gets, float32 [batch, F]."""
    return open_on_cpu(cut_at(model, head.features))


def cut_at(model: onnx.ModelProto, tensor: str) -> bytes:
    """The model with one output, a float32 tensor in its graph."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    cut.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    data: bytes = cut.SerializeToString()
    return data


def features_of(session: ort.InferenceSession, images: Pixels) -> Floats:
    """Features of uint8 [n, size, size, 3], float32 [n, F], a few images at a time.

    Args:
        session: with the features as its one output.
    """
    starts = range(0, len(images), _CHUNK)
    parts: list[Floats] = [session.run(None, {INPUT_NAME: images[start : start + _CHUNK]})[0] for start in starts]
    return np.concatenate(parts)
