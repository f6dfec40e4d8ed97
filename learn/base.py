"""A model file as learning sees it: its head, what gives the features under it, and the root that it came from.

`convert` makes roots. A head is always fitted from the root with all labels in force, so that their order does not
matter and a label that was taken back leaves nothing behind. A learned file therefore carries its root's head.
"""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from common.errors import ModelError
from contract.geometry import Pixels
from contract.metadata import FAMILIARITY_NAME, INPUT_NAME, NEAREST_NAME, OUTPUT_NAME, Contract
from contract.session import open_model
from learn.errors import LearnError
from learn.layer import Floats, Ints, Layer

ROOT_KEY = "phototriage-root"
"""Key of the root's head among the metadata of a learned model."""
OTHERS = 0.5
"""Weight of the other kinds of photos, as `training.fit.familiarity` has it."""
BATCH = 16


@dataclass(frozen=True)
class Head:
    """What learning changes of a model.

    Attributes:
        contract: of the file that the head is from; the golden sample and the memory stay those of that file.
        sha256: of that file.
        layer: the last layer.
        centres: float32 [K, B] of unit length, of the classes.
        classes: class of each centre, [K].
        others: float32 [M, B] of unit length, of other kinds of photos; M may be 0.
    """

    contract: Contract
    sha256: str
    layer: Layer
    centres: Floats
    classes: Ints
    others: Floats


@dataclass(frozen=True)
class Base:
    """A model that can learn.

    Attributes:
        proto: its graph.
        serving: its head.
        root: the head that learning begins from; the same as `serving` for what `convert` made.
    """

    proto: onnx.ModelProto
    serving: Head
    root: Head


def open_base(data: bytes) -> Base:
    """Open a model file to learn from it.

    Raises:
        LearnError: it has no head that could learn.
        ModelError, ContractError: it is no model, or damaged.
    """
    model = open_model(data, "cpu")
    if model.contract.familiarity is None:
        raise LearnError(
            "This model cannot learn from labels, because its features are not those of the broad network. Train one"
            " with the default recipe, or use the model that ships."
        )
    if model.contract.precision != "fp32":
        raise LearnError(
            f"This model has {model.contract.precision} weights, and only fp32 models learn. Convert its run without"
            " --precision, and learn from that file."
        )
    proto = onnx.load_model_from_string(data)
    serving = _head_of(proto, model.contract, model.sha256)
    kept = {prop.key: prop.value for prop in proto.metadata_props}.get(ROOT_KEY)
    return Base(proto, serving, serving if kept is None else _unpacked(kept, serving))


def features_of(proto: onnx.ModelProto) -> Callable[[Pixels], Floats]:
    """Return what gives the features under the head: uint8 [N, S, S, 3] -> float32 [N, F], task before broad."""
    return _cut_at(proto, _Nodes(proto).head.input[0])


def broad_features_of(proto: onnx.ModelProto) -> Callable[[Pixels], Floats]:
    """Return what gives the broad features alone, at unit length: uint8 [N, S, S, 3] -> float32 [N, B]."""
    return _cut_at(proto, _Nodes(proto).centres.input[0])


def _cut_at(proto: onnx.ModelProto, features: str) -> Callable[[Pixels], Floats]:
    cut = onnx.ModelProto()
    cut.CopyFrom(proto)
    del cut.graph.output[:]
    cut.graph.output.append(helper.make_tensor_value_info(features, TensorProto.FLOAT, ["batch", None]))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(cut.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _compute(photos: Pixels) -> Floats:
        starts = range(0, len(photos), BATCH)
        return np.vstack([session.run([features], {INPUT_NAME: photos[start : start + BATCH]})[0] for start in starts])

    return _compute


def with_head(proto: onnx.ModelProto, head: Head, root: Head) -> onnx.ModelProto:
    """Return the graph with another head, and with the root's head in its metadata; the contract is not set."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    _set_head(made, _Nodes(made), head)
    kept = {prop.key: prop.value for prop in made.metadata_props} | {ROOT_KEY: _packed(root)}
    helper.set_model_props(made, kept)
    return made


def with_fresh_head(proto: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Return the broad network of a graph with a head of its own; what the head does not need is left out."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    nodes = _Nodes(made)
    nodes.head.input[0] = nodes.centres.input[0]
    _set_head(made, nodes, head)
    del made.metadata_props[:]
    _prune(made.graph)
    return made


def _set_head(made: onnx.ModelProto, nodes: "_Nodes", head: Head) -> None:
    nodes.set(nodes.head.input[1], head.layer.kernel)
    nodes.set(nodes.head.input[2], head.layer.bias)
    nodes.set(nodes.centres.input[1], head.centres.T)
    nodes.set(nodes.gather.input[0], head.classes)
    if nodes.others is not None:
        nodes.set(nodes.others.input[1], head.others.T)
    output = next(one for one in made.graph.output if one.name == OUTPUT_NAME)
    output.type.tensor_type.shape.dim[1].dim_value = len(head.layer.bias)


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


class _Nodes:
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
            broad = self._made_by[self.head.input[0]]
            if broad.op_type not in ("Concat", "Mul") or self.gather.op_type != "Gather":
                raise KeyError(broad.op_type)
        except (KeyError, IndexError) as error:
            raise LearnError("This model has no head that can learn. Train one with the default recipe.") from error

    def constant(self, name: str) -> Any:
        """The value of a constant."""
        return numpy_helper.to_array(self._constants[name])

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

    def _others(self) -> onnx.NodeProto | None:
        """The product with the centres of other kinds of photos; None where the model has none."""
        node = self._made_by[FAMILIARITY_NAME]
        if node.op_type != "Sub":
            return None
        relu = next(one for one in (self._made_by.get(name) for name in self._made_by[node.input[1]].input) if one)
        return self._of(self._made_by[relu.input[0]].input[0], "Gemm", 2)


def _head_of(proto: onnx.ModelProto, contract: Contract, sha256: str) -> Head:
    nodes = _Nodes(proto)
    layer = Layer(nodes.constant(nodes.head.input[1]), nodes.constant(nodes.head.input[2]))
    centres = np.ascontiguousarray(nodes.constant(nodes.centres.input[1]).T)
    others = np.zeros((0, centres.shape[1]), np.float32)
    if nodes.others is not None:
        others = np.ascontiguousarray(nodes.constant(nodes.others.input[1]).T)
    return Head(contract, sha256, layer, centres, nodes.constant(nodes.gather.input[0]).astype(np.int64), others)


def _packed(head: Head) -> str:
    """Return a root's head as text, for the metadata of a learned file, whose first centres are those of the root."""
    file = io.BytesIO()
    np.savez_compressed(
        file, kernel=head.layer.kernel, bias=head.layer.bias, centres=len(head.centres), others=head.others
    )
    arrays = base64.b64encode(file.getvalue()).decode("ascii")
    plain = replace(head.contract, golden=())
    return json.dumps({"sha256": head.sha256, "contract": plain.to_json(), "arrays": arrays})


def _unpacked(text: str, learned: Head) -> Head:
    try:
        value = json.loads(text)
        with np.load(io.BytesIO(base64.b64decode(value["arrays"], validate=True)), allow_pickle=False) as arrays:
            layer = Layer(arrays["kernel"], arrays["bias"])
            count, others = int(arrays["centres"]), arrays["others"]
        contract, sha256 = Contract.from_json(value["contract"]), str(value["sha256"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ModelError(f"The root in this learned model is damaged ({error}). Learn again from its root.") from error
    return Head(contract, sha256, layer, learned.centres[:count], learned.classes[:count], others)
