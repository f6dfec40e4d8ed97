"""The conversion from start to end: check the output, export, clean, compare, stamp, verify, publish."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.publish import publish_files
from contract.familiarity import Familiarity
from contract.memory import MemoryFacts, memory_path
from contract.metadata import Precision
from contract.session import Model
from convert import export, gate, precision
from convert.card import card
from convert.clean import clean, node_counts
from convert.errors import OutputError
from convert.familiar import TOLERANCE, Familiar, compare_familiarity, dimensions_of, with_broad_features
from convert.gate import Parity
from convert.memory import find_strangers, make_memory
from convert.photos import parity_photos
from convert.precision import Graphs
from convert.recorded import RecordedParity, compare_recorded
from convert.smaller.measure import PrecisionMeasurement
from convert.stamp import open_proven, stamp_model
from training.measure.predictions import Predictions, read_predictions
from training.run import PREDICTIONS, Run, load_run

Say = Callable[[str, str], None]
"""Called after each step with its name and its result."""
_NO_MEMORY = "none: the run was trained otherwise than on the broad network's features, or by an earlier version"


@dataclass(frozen=True)
class ConversionResult:
    """Result of a conversion.

    Attributes:
        output: the published file.
        sha256: SHA-256 of the file.
        size_bytes: size of the file.
        labels: class names in the order of the output columns.
        nodes_exported: nodes per operator after tf2onnx.
        nodes: nodes per operator in the published graph.
        precision: fp32, fp16 or int8.
        parity: comparison of Keras and ONNX Runtime, both in fp32.
        recorded: comparison of ONNX Runtime, in fp32, with predictions.csv.
        familiarity: what the model says about photos of no class; None for a run without familiarity.
        memory: what the file beside the model holds; None for a run without one.
        measured: the smaller precision compared with fp32; None for fp32.
        golden: number of pictures in the golden sample.
        replaced: whether an older file was replaced.
        seconds: time from start to publication.
    """

    output: Path
    sha256: str
    size_bytes: int
    labels: tuple[str, ...]
    nodes_exported: dict[str, int]
    nodes: dict[str, int]
    precision: Precision
    parity: Parity
    recorded: RecordedParity
    familiarity: Familiarity | None
    memory: MemoryFacts | None
    measured: PrecisionMeasurement | None
    golden: int
    replaced: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"output": str(self.output), "labels": list(self.labels)}


def convert_run(
    folder: Path,
    output: Path,
    say: Say,
    kind: Precision = "fp32",
    max_drop_points: float = precision.MAX_DROP_POINTS,
    foreign: Path | None = None,
) -> ConversionResult:
    """Convert a run folder into one verified model file.

    Args:
        folder: a finished run of `phototriage train`.
        output: the .onnx file. An older file is replaced by one rename, after the new one is verified.
        say: called after each step.
        kind: precision of the file. fp16 and int8 are made from the verified fp32 graph.
        max_drop_points: points of accuracy that a smaller precision may lose on the validation photos.
        foreign: folder of pictures of no class, whose features go into the memory.

    Raises:
        PhototriageError: the output cannot be written, the run is unfinished or damaged, its labels break the contract,
            the export does not compute what the run computes or recorded, or the precision loses too much accuracy.
            `output` stays unchanged.
    """
    started = time.monotonic()
    check_output(output)
    run = load_run(folder)
    say("run", f"{folder}: {len(run.labels)} classes, {run.geometry.size_px} px, {run.geometry.id}")
    strangers = find_strangers(run, foreign)
    export.keras_on_cpu()
    network, familiar = run.load_keras(), Familiar.of(run)
    graphs, validation = _export(network, run, familiar, say), _validation(run)
    parity, recorded = _verify(network, run, validation, graphs, say)
    made = precision.apply_precision(kind, graphs, run, validation, max_drop_points, say)
    say("familiar", _on_strangers(made.familiarity))
    memory = make_memory(run, made.model, validation, strangers)
    say("memory", _NO_MEMORY if memory is None else str(memory))
    contract = card(run, parity, made, None if memory is None else memory.facts)
    data = stamp_model(made.model, contract)
    opened = open_proven(data, contract)
    say("golden", _replayed(opened))
    replaced = output.exists()
    publish(output, data, {} if memory is None else {memory_path(output): memory.data})
    return ConversionResult(
        output=output,
        sha256=opened.sha256,
        size_bytes=len(data),
        labels=contract.labels,
        nodes_exported=node_counts(graphs.plain),
        nodes=node_counts(made.model),
        precision=kind,
        parity=parity,
        recorded=recorded,
        familiarity=contract.familiarity,
        memory=contract.memory,
        measured=made.measured,
        golden=len(contract.golden),
        replaced=replaced,
        seconds=round(time.monotonic() - started, 2),
    )


def _replayed(opened: Model) -> str:
    count = len(opened.contract.golden)
    return f"{count} pictures replayed on the finished file, max difference {opened.golden_difference:.1e}"


def _on_strangers(familiarity: Familiarity | None) -> str:
    if familiarity is None:
        return "photos of no class are not told: the network's features are not those of the broad network"
    return str(familiarity)


def _validation(run: Run) -> Predictions:
    return read_predictions(run.path / PREDICTIONS, run.dataset, run.labels).of("val")


def _export(network: Any, run: Run, familiar: Familiar | None, say: Say) -> Graphs:
    """Export and clean."""
    export.check_network(network, run.geometry.size_px, len(run.labels))
    plain = export.to_onnx(network, run.temperature, run.geometry.size_px, familiar)
    before, model = node_counts(plain), clean(plain)
    say("export", f"{sum(before.values())} nodes by tf2onnx: {in_words(before)}")
    after = node_counts(model)
    say("clean", f"{sum(after.values())} nodes: {in_words(after)}")
    return Graphs(plain, model, familiar)


def _verify(network: Any, run: Run, validation: Predictions, graphs: Graphs, say: Say) -> tuple[Parity, RecordedParity]:
    """Compare the export with Keras, and with the answers that training recorded."""
    session, familiar = gate.open_on_cpu(graphs.model.SerializeToString()), graphs.familiar
    gate.check_signature(session, run.geometry.size_px, len(run.labels), dimensions_of(familiar))
    photos = parity_photos([photo.path for photo in validation.photos], run.geometry)
    answers = gate.keras_probabilities(network, run.temperature, photos.images)
    exported = gate.onnx_probabilities(session, photos.images)
    parity = gate.compare(answers, exported, photos.names, run.labels, str(photos))
    say("parity", str(parity))
    if familiar is not None:
        off = compare_familiarity(with_broad_features(network), familiar, session, photos.images)
        say("parity", f"embeddings and familiarity: max difference {off:.1e} (limit {TOLERANCE:.0e})")
    recorded = compare_recorded(session, run, validation, photos, exported)
    say("recorded", str(recorded))
    return parity, recorded


def check_output(output: Path) -> None:
    """Raise OutputError now if the file could not be published at the end."""
    folder = output.parent
    if output.is_dir():
        raise OutputError(f"The output {output} is a folder. Pass a file in it, such as {output / 'model.onnx'}.")
    if output.suffix.lower() != ".onnx":
        raise OutputError(
            f"The output {output} does not end in .onnx. Pass a name that does, so that no other file is replaced."
        )
    if output.exists() and not output.is_file():
        raise OutputError(f"The output {output} exists and is not a regular file. Pass another name.")
    if not folder.is_dir():
        raise OutputError(f"The folder {folder} of the output does not exist. Create it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"This user cannot write to the folder {folder} of the output. Choose another folder.")


def publish(output: Path, data: bytes, beside: Mapping[Path, bytes]) -> None:
    """Publish the finished bytes at `output` with one rename, or raise OutputError and leave it unchanged.

    Args:
        beside: companions, which are in place before `output` is.
    """
    try:
        publish_files({**beside, output: data})
    except OSError as error:
        raise OutputError(
            f"{output} could not be written ({error.strerror or error}; {len(data):,} bytes are needed). "
            "An older file there is unchanged. Free space or choose another folder, and convert again."
        ) from error


def in_words(counts: dict[str, int]) -> str:
    """`52 Conv, 35 Clip, ...`, most frequent first."""
    return ", ".join(f"{count} {op}" for op, count in counts.items())
