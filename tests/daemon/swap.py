"""Two models that differ in everything, a daemon under load, and what its ledger says of models."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from contract.publish import publish_bytes
from daemon.ledgers import reading
from daemon.models.log import Entry, entries
from daemon.roots import state_folder
from tests.colour_model import LABELS, colour_model
from tests.daemon.support import digest, unique

OTHERS = ("rouge", "vert", "bleu", "jaune")
OLD = colour_model()
NEW = colour_model(OTHERS, 48, "letterbox")
LABELS_OF = {digest(OLD): LABELS, digest(NEW): OTHERS}


def told_of_models(inbox: Path) -> list[Entry]:
    """Return what the ledger says of models, oldest first."""
    with reading(state_folder(inbox) / "ledger.sqlite") as connection:
        return entries(connection)[::-1]


def rows(inbox: Path) -> list[sqlite3.Row]:
    """Return every row of a photo."""
    with reading(state_folder(inbox) / "ledger.sqlite") as connection:
        return list(connection.execute("SELECT * FROM photos ORDER BY id"))


@contextmanager
def load(inbox: Path, waiting: int = 150) -> Iterator[list[str]]:
    """Move photos in, so many that some always wait, until the end of the block; yields their names as they go in."""
    names: list[str] = []
    part = inbox.parent / "part"
    ended = threading.Event()

    def feed() -> None:
        while not ended.is_set():
            if len(list(inbox.iterdir())) > waiting:
                continue
            name = f"{len(names):05}.jpg"
            part.write_bytes(unique(LABELS[len(names) % 3], len(names)))
            part.rename(inbox / name)
            names.append(name)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield names
    finally:
        ended.set()
        thread.join()


def endless_model() -> bytes:
    """Return the old model with a loop in it that does not end, before its input is looked at."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [4]),
        ],
    )
    proto = onnx.load_from_string(OLD)
    cast = proto.graph.node[1]
    values = {"turns": np.array(1 << 60, np.int64), "on": np.array(True), "start": np.zeros(4, np.float32)}
    proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())
    loop = helper.make_node("Loop", ["turns", "on", "start"], ["ended"], body=body)
    total = helper.make_node("ReduceSum", ["ended"], ["total"], keepdims=0)
    add = helper.make_node("Add", [cast.output[0], "total"], ["summed"])
    proto.graph.node[2].input[0] = "summed"
    for node in (add, total, loop):
        proto.graph.node.insert(0 if node is not add else 2, node)
    return bytes(proto.SerializeToString())


def replace_model(path: Path, data: bytes) -> None:
    """Put another model in the place of one, by a rename."""
    publish_bytes(path, data)
