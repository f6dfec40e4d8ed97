"""Check the graph of an untrusted model before it is opened: loops, branches and functions are refused.

A graph with loops can run for ever, and branches and functions can hide loops. Models made by phototriage have none.
The daemon has no onnx package, so the file is parsed here in protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/) with the field numbers of onnx.proto. Tensors are skipped by their
length, so a model of 9 MB takes 2 ms.
"""

from collections.abc import Iterator

from common.errors import ModelError
from common.text import printable

_MODEL_GRAPH, _MODEL_FUNCTIONS, _GRAPH_NODE, _NODE_TYPE, _NODE_ATTRIBUTE = 7, 25, 1, 4, 5
_ATTRIBUTE_GRAPHS = (6, 11)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
MAX_NODES = 100_000
Field = tuple[int, memoryview]


def check_graph(data: bytes) -> None:
    """Refuse a model with loops, branches or functions of its own.

    Args:
        data: the file.

    Raises:
        ModelError: it has some, or its bytes are not an ONNX file.
    """
    nodes = 0
    for number, model in _fields(memoryview(data)):
        if number == _MODEL_FUNCTIONS:
            raise _refused("functions of its own")
        if number != _MODEL_GRAPH:
            continue
        for kind, node in _fields(model):
            if kind == _GRAPH_NODE:
                nodes += 1
                _check_node(node)
    if nodes > MAX_NODES:
        raise _refused(f"{nodes:,} operations")


def _check_node(node: memoryview) -> None:
    fields = list(_fields(node))
    for number, attribute in fields:
        if number == _NODE_ATTRIBUTE and any(inner in _ATTRIBUTE_GRAPHS for inner, _ in _fields(attribute)):
            name = next((bytes(value) for kind, value in fields if kind == _NODE_TYPE), b"?")
            raise _refused(f"graphs inside an operation ({printable(name[:40])})")


def _refused(what: str) -> ModelError:
    return ModelError(
        f"The model has {what}, which could run for ever. Models of phototriage have none. Convert the run again."
    )


def _fields(message: memoryview) -> Iterator[Field]:
    """Yield number and content of the fields that have a length; skip the others."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _BYTES:
            size, place = _varint(message, place)
            if size > end - place:
                raise _no_onnx()
            yield key >> 3, message[place : place + size]
            place += size
        elif kind == _VARINT:
            _, place = _varint(message, place)
        elif kind in (_FIXED64, _FIXED32):
            place += 8 if kind == _FIXED64 else 4
        else:
            raise _no_onnx()
    if place != end:
        raise _no_onnx()


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[place : place + 10]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, place + count + 1
    raise _no_onnx()


def _no_onnx() -> ModelError:
    return ModelError("onnxruntime cannot open this model: its bytes are not an ONNX file. Convert the run again.")
