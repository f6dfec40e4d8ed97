"""The conversion from end to end, in its order: refuse early, export, clean, compare, stamp, prove, publish."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from contract.metadata import Precision
from contract.publish import publish_bytes
from convert import export, gate, precision
from convert.card import card
from convert.clean import clean, node_counts
from convert.errors import OutputError
from convert.gate import Parity
from convert.measure import Measured
from convert.photos import parity_photos
from convert.stamp import proven, stamped
from training.run import Run, load_run

Say = Callable[[str, str], None]
"""Called with the name of a step and what it found, when it is done."""


@dataclass(frozen=True)
class Converted:
    """What a conversion did; figures for people and scripts.

    output          the published file
    sha256          of its bytes
    size_bytes      of the file
    labels          in the order of the output's columns
    nodes_exported  per operator, as tf2onnx left the graph
    nodes           per operator, as published
    precision       fp32, fp16 or int8
    parity          of Keras and ONNX Runtime, both in fp32
    measured        what a smaller precision costs and brings; None for fp32
    golden          pictures in the golden sample
    replaced        whether an older file stood at the output
    seconds         from start to publication
    """

    output: Path
    sha256: str
    size_bytes: int
    labels: tuple[str, ...]
    nodes_exported: dict[str, int]
    nodes: dict[str, int]
    precision: Precision
    parity: Parity
    measured: Measured | None
    golden: int
    replaced: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self) | {"output": str(self.output), "labels": list(self.labels)}


def convert_run(
    folder: Path,
    output: Path,
    say: Say,
    kind: Precision = "fp32",
    max_drop_points: float = precision.MAX_DROP_POINTS,
) -> Converted:
    """Convert a run folder into one verified model file.

    Args:
        folder: a finished run of `phototriage train`.
        output: the .onnx file; an older one is replaced by rename, and only once the new one is proven.
        say: told of each step.
        kind: precision of the file; what is smaller than fp32 is made from the verified fp32 graph.
        max_drop_points: points of accuracy that a smaller precision may cost on the validation photos.

    Raises:
        PhototriageError: the output cannot be written, the run is no finished and whole run, its labels break the
            contract, the export does not compute what the run computes, or the precision costs too much. `output` is
            then as it was.
    """
    started = time.monotonic()
    check_output(output)
    run = load_run(folder)
    say("run", f"{folder}: {len(run.labels)} classes, {run.geometry.size_px} px, {run.geometry.id}")
    export.keras_on_cpu()
    network = run.load_keras()
    plain, model = _export(network, run, say)
    parity = _verify(network, run, model, say)
    made = precision.make(kind, plain, model, run, max_drop_points, say)
    contract = card(run, parity, made)
    data = stamped(made.model, contract)
    opened = proven(data, contract)
    say(
        "golden",
        f"{len(contract.golden)} pictures replayed on the finished file, within {opened.golden_difference:.1e}",
    )
    replaced = output.exists()
    publish(output, data)
    return Converted(
        output=output,
        sha256=opened.sha256,
        size_bytes=len(data),
        labels=contract.labels,
        nodes_exported=node_counts(plain),
        nodes=node_counts(made.model),
        precision=kind,
        parity=parity,
        measured=made.measured,
        golden=len(contract.golden),
        replaced=replaced,
        seconds=round(time.monotonic() - started, 2),
    )


def _export(network: Any, run: Run, say: Say) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """(the graph as tf2onnx left it, the clean one)."""
    export.check_network(network, run.geometry.size_px, len(run.labels))
    plain = export.to_onnx(network, run.temperature, run.geometry.size_px)
    before, model = node_counts(plain), clean(plain)
    say("export", f"{sum(before.values())} nodes by tf2onnx: {in_words(before)}")
    after = node_counts(model)
    say("clean", f"{sum(after.values())} nodes: {in_words(after)}")
    return plain, model


def _verify(network: Any, run: Run, model: onnx.ModelProto, say: Say) -> Parity:
    """Let the export through the gate."""
    session = gate.open_on_cpu(model.SerializeToString())
    gate.check_signature(session, run.geometry.size_px, len(run.labels))
    photos = parity_photos([path for path, _ in run.validation], run.geometry)
    answers = gate.keras_probabilities(network, run.temperature, photos.images)
    exported = gate.onnx_probabilities(session, photos.images)
    parity = gate.compare(answers, exported, photos.names, run.labels, str(photos))
    say("parity", str(parity))
    return parity


def check_output(output: Path) -> None:
    """Raise OutputError at once where the file could not be published minutes later."""
    folder = output.parent
    if output.is_dir():
        raise OutputError(f"The output {output} is a folder; name a file in it, such as {output / 'model.onnx'}.")
    if output.suffix.lower() != ".onnx":
        raise OutputError(
            f"The output {output} does not end in .onnx; name it so, that nothing else is replaced by it."
        )
    if output.exists() and not output.is_file():
        raise OutputError(f"The output {output} is there and is no regular file; name another.")
    if not folder.is_dir():
        raise OutputError(f"The output's folder {folder} is not there; make it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"The output's folder {folder} is not writable by this user; choose another.")


def publish(output: Path, data: bytes) -> None:
    """Put the finished bytes at `output` in one rename, or raise OutputError and leave it as it was."""
    try:
        publish_bytes(output, data)
    except OSError as error:
        raise OutputError(
            f"{output} could not be written ({error.strerror or error}; {len(data):,} bytes are needed). "
            "Whatever stood there is unchanged; make room or choose another folder, and convert again."
        ) from error


def in_words(counts: dict[str, int]) -> str:
    """`52 Conv, 35 Clip, ...`, most frequent first."""
    return ", ".join(f"{count} {op}" for op, count in counts.items())
