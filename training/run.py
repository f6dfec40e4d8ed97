"""The run folder: training writes it, conversion reads it.

`run.json`, the manifest, is written last. A folder without it is an unfinished run.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import ContractError
from common.publish import publish_bytes
from contract.geometry import Geometry
from contract.labels import check_labels
from training.errors import RunError

FORMAT = 1
MANIFEST, MODEL, RECIPE, HISTORY, PREDICTIONS, FAMILIARITY, MEMORY = (
    "run.json",
    "model.keras",
    "recipe.toml",
    "history.csv",
    "predictions.csv",
    "familiarity.npz",
    "model.memory",
)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        labels: class names in the order of the outputs.
        geometry: how a photo becomes the input.
        temperature: divisor of the logits.
        thresholds: per class, the probability below which a photo goes to review.
        metrics: `validation`, and `test` where there was one, each as training.measure.metrics.Metrics.card.
        recipe: resolved settings.
        dataset: the folder trained on.
        data_hash: SHA-256 of its photos and their sides.
        manifest: all of run.json.
    """

    path: Path
    labels: tuple[str, ...]
    geometry: Geometry
    temperature: float
    thresholds: Mapping[str, float]
    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    dataset: Path
    data_hash: str
    manifest: Mapping[str, Any] = field(repr=False, default_factory=dict)

    def load_keras(self) -> Any:
        """Load the network: uint8 [N, S, S, 3] -> logits float32 [N, classes].

        Raises:
            RunError: the file is missing, or does not match the manifest.
        """
        file = self.path / MODEL
        found = _sha256(file)
        if found != self.manifest["model_sha256"]:
            raise RunError(
                f"{file} is not the model of this run: its SHA-256 differs from that in the manifest. Train again."
            )
        import keras

        return keras.saving.load_model(file, compile=False, safe_mode=True)


def load_run(path: Path) -> Run:
    """Read a run folder's manifest.

    Raises:
        RunError: the folder does not exist, or its run is unfinished, damaged, or of an unknown format.
    """
    value = _read(path)
    if value.get("format") != FORMAT:
        raise RunError(
            f"{path} is a run of format {value.get('format')!r}, but this version of phototriage reads {FORMAT}."
            " Use the version that wrote it, or train again."
        )
    try:
        return Run(
            path=path,
            labels=check_labels(value["labels"]),
            geometry=Geometry.from_id(value["geometry"]["id"], value["geometry"]["size_px"]),
            temperature=float(value["temperature"]),
            thresholds={str(label): float(threshold) for label, threshold in value["thresholds"].items()},
            metrics=dict(value["metrics"]),
            recipe=dict(value["recipe"]),
            dataset=Path(value["dataset"]["root"]),
            data_hash=str(value["dataset"]["sha256"]),
            manifest=value | {"model_sha256": str(value["model_sha256"])},
        )
    except (KeyError, TypeError, ValueError, AttributeError, ContractError) as error:
        raise RunError(f"The manifest {path / MANIFEST} is damaged ({error!r}). Train the run again.") from error


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write run.json with the hash of the model and the format. It marks the run as finished."""
    value = {"format": FORMAT, **manifest, "model_sha256": _sha256(path / MODEL)}
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    publish_bytes(path / MANIFEST, text.encode("utf-8", "surrogateescape"))


def _read(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    if not path.is_dir():
        raise RunError(f"{path} is not a run folder. Pass the folder that `phototriage train --output` wrote.")
    if not file.is_file():
        rest = "holds an unfinished run" if (path / RECIPE).is_file() else "is not a run folder"
        cure = "Run the same train command again" if (path / CHECKPOINT).is_file() else "Train again into a new folder"
        raise RunError(f"{path} {rest}: it has no {MANIFEST}. {cure}.")
    try:
        value = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"The manifest {file} cannot be read ({error}). Train the run again.") from error
    if not isinstance(value, dict):
        raise RunError(f"The manifest {file} is damaged: it is not a JSON object. Train the run again.")
    return value


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror}). Train the run again.") from error


CHECKPOINT = "checkpoint.npz"
