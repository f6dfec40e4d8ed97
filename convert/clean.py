"""The graph passes in their order. MobileNetV2 shrinks to 52 Conv, 35 Clip and a dozen other nodes."""

from functools import reduce

import onnx

from convert.graph import Graph, Match, apply, from_model, to_model
from convert.passes import conv, dense, tidy

# The order matters twice: pads are merged into a convolution before they are made symmetric, and a MatMul becomes a
# Gemm before bias and temperature are merged into it.
MATCHES: tuple[Match, ...] = (
    tidy.drop_no_op,
    conv.scale_into_conv,
    conv.shift_into_conv,
    conv.pad_into_conv,
    conv.symmetric_pads,
    conv.input_scale_into_conv,
    dense.matmul_to_gemm,
    dense.shift_into_gemm,
    dense.scale_into_gemm,
    tidy.drop_dead,
)


def clean(model: onnx.ModelProto, *, even_pads: bool = True) -> onnx.ModelProto:
    """Return a graph that computes the same in fewer nodes. `model` itself is not changed.

    Args:
        even_pads: make pads symmetric, as cuDNN requires. Without it kernels keep their size, which is faster for int8
            on the CPU.
    """
    matches = [match for match in MATCHES if even_pads or match is not conv.symmetric_pads]
    graph: Graph = reduce(apply, matches, from_model(model))
    return to_model(tidy.name_by_position(tidy.name_batch(graph)))


def node_counts(model: onnx.ModelProto) -> dict[str, int]:
    """Nodes per operator, most frequent first."""
    return dict(from_model(model).count().most_common())
