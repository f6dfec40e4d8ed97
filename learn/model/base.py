"""A model file as learning sees it: its head, what gives the features under it, and the root that it came from.

`convert` makes roots. A head is always fitted from the root with all labels in force, so that their order does not
matter and a label that was taken back leaves nothing behind. A learned file therefore carries its root's head.
"""

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from common.errors import ModelError
from contract.metadata import Contract
from contract.session import open_model
from learn.errors import LearnError
from learn.fitting.layer import Floats, Ints, Layer
from learn.model.graph import Parts, parts_of, with_head

ROOT_KEY = "phototriage-root"
"""Key of the root's head among the metadata of a learned model."""
OTHERS = 0.5
"""Weight of the other kinds of photos, as `training.fit.familiarity` has it."""


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

    @property
    def parts(self) -> Parts:
        """What of it is in the graph."""
        return Parts(self.layer.kernel, self.layer.bias, self.centres, self.classes, self.others)


@dataclass(frozen=True)
class Base:
    """A model that can learn.

    Attributes:
        proto: its graph.
        serving: its head.
        root: the head that learning begins from; the same as `serving` for what `convert` made.
        names: new names of the root's classes (`learn.model.class_names`).
    """

    proto: onnx.ModelProto
    serving: Head
    root: Head
    names: Mapping[str, str]


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
    proto = onnx.load_model_from_string(data)
    serving = _head_of(proto, model.contract, model.sha256)
    kept = {prop.key: prop.value for prop in proto.metadata_props}.get(ROOT_KEY)
    return Base(proto, serving, *((serving, {}) if kept is None else _unpacked(kept, serving)))


def _head_of(proto: onnx.ModelProto, contract: Contract, sha256: str) -> Head:
    kernel, bias, centres, classes, others = parts_of(proto)
    return Head(contract, sha256, Layer(kernel, bias), centres, classes, others)


def with_learned_head(base: Base, head: Head) -> onnx.ModelProto:
    """Return the graph of a base with another head, and with its root in the metadata; the contract is not set."""
    return with_head(base.proto, head.parts, ROOT_KEY, _packed(base.root, base.names))


def _packed(root: Head, names: Mapping[str, str]) -> str:
    """Return a root's head as text, for the metadata of a learned file.

    The first centres of the learned file are those of the root, unless classes were merged or retired.
    """
    arrays: dict[str, Any] = {"kernel": root.layer.kernel, "bias": root.layer.bias, "others": root.others}
    if names:
        arrays |= {"centres": root.centres, "classes": root.classes}
    file = io.BytesIO()
    np.savez_compressed(file, count=len(root.centres), **arrays)
    packed = base64.b64encode(file.getvalue()).decode("ascii")
    contract = replace(root.contract, golden=()).to_json()
    return json.dumps({"sha256": root.sha256, "contract": contract, "names": dict(names), "arrays": packed})


def _unpacked(text: str, learned: Head) -> tuple[Head, dict[str, str]]:
    try:
        value = json.loads(text)
        with np.load(io.BytesIO(base64.b64decode(value["arrays"], validate=True)), allow_pickle=False) as arrays:
            layer, others, count = Layer(arrays["kernel"], arrays["bias"]), arrays["others"], int(arrays["count"])
            centres = arrays["centres"] if "centres" in arrays else learned.centres[:count]
            classes = arrays["classes"] if "classes" in arrays else learned.classes[:count]
        contract, sha256 = Contract.from_json(value["contract"]), str(value["sha256"])
        names = {str(old): str(new) for old, new in value["names"].items()}
    except (ValueError, KeyError, TypeError, OSError, AttributeError) as error:
        raise ModelError(f"The root in this learned model is damaged ({error}). Learn again from its root.") from error
    return Head(contract, sha256, layer, centres, classes, others), names
