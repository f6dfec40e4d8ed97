"""Makes the new model file: the same network, another head, a contract that says so, and a new golden sample."""

from dataclasses import replace

import onnx

from contract.answers import ask
from contract.golden import make_golden
from contract.learned import Learned
from contract.metadata import Contract, GoldenCase
from convert.smaller.measure import one_thread
from convert.stamp import open_proven, stamp_model
from learn.fitting.layer import Floats, Ints, Layer
from learn.model.base import Base, Head, with_learned_head


def write_model(
    base: Base,
    root: Head,
    head: Layer,
    centres: tuple[Floats, Ints, Floats],
    labels: tuple[str, ...],
    temperature: float,
    learned: Learned,
) -> bytes:
    """Return the bytes of the new model, opened once and with its golden sample replayed.

    Args:
        base: the model that serves, with the names in force.
        root: its root under these names.
        head: the new one, with the temperature inside.
        centres: of familiarity, their classes, and the other kinds.
        labels: its classes.
        temperature: divisor of the logits beside that of the root.
        learned: what the contract says of the learning.

    Raises:
        ModelError, ContractError, ExportError: the file does not compute what was learnt.
    """
    known = root.contract
    thresholds = dict(known.thresholds)
    careful = max(thresholds.values(), default=0.0)
    contract = replace(
        known,
        labels=labels,
        temperature=known.temperature * temperature,
        thresholds={label: thresholds.get(label, careful) for label in labels} if thresholds else {},
        metrics={"root": dict(base.root.contract.metrics)},
        learned=learned,
        familiarity=None if known.familiarity is None else replace(known.familiarity, centres=len(centres[0])),
        golden=(),
    )
    proto = with_learned_head(base, Head(contract, "", head, *centres))
    return finished(proto, contract)


def finished(proto: onnx.ModelProto, contract: Contract) -> bytes:
    """Return the bytes of a model file: the graph with its contract and a golden sample, which is replayed once.

    Args:
        proto: the graph.
        contract: without a golden sample.

    Raises:
        ModelError, ContractError, ExportError: the file does not compute what the graph does.
    """
    stamped: Contract = replace(contract, golden=_golden(proto, contract))
    data = stamp_model(proto, stamped)
    open_proven(data, stamped)
    return data


def _golden(proto: onnx.ModelProto, contract: Contract) -> tuple[GoldenCase, ...]:
    session = one_thread(proto.SerializeToString())  # which ends before the finished file is opened
    return make_golden(lambda images: ask(session, images, familiar=True), contract.geometry)


def divided(layer: Layer, temperature: float) -> Layer:
    """Return a head whose logits are divided by a temperature."""
    return Layer((layer.kernel / temperature).astype(layer.kernel.dtype), (layer.bias / temperature).astype("f4"))
