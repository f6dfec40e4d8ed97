"""The model card of a report, from the manifest of a run or the contract of a model file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.text import printable
from contract.metadata import Contract
from contract.session import open_model
from training.progress import duration
from training.report.content import percent
from training.run import MODEL, Run, load_run


@dataclass(frozen=True)
class About:
    """Facts about a model.

    Attributes:
        thresholds: review threshold of each class.
        card: rows of the model card.
        recipe: all settings, as nested values.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    card: tuple[tuple[str, str], ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)


def about_model(model: Path) -> About:
    """Read the facts about a run folder, its model.keras, or an .onnx file.

    Raises:
        PhototriageError: the model cannot be read, or breaks its contract.
    """
    if model.suffix.lower() == ".onnx":
        opened = open_model(model, "cpu")
        card = _contract_card(opened.contract, opened.sha256)
        return About(opened.contract.thresholds, tuple(card), opened.contract.recipe)
    return about_run(load_run(model.parent if model.name == MODEL else model))


def about_run(run: Run) -> About:
    """Read the facts about a run."""
    return About(run.thresholds, tuple(_run_card(run)), run.recipe)


def _contract_card(contract: Contract, sha256: str) -> Iterator[tuple[str, str]]:
    yield "Classes", ", ".join(contract.labels)
    yield "Input", f"{contract.geometry.size_px} x {contract.geometry.size_px} px, {contract.geometry.id}"
    yield "Precision", contract.precision
    yield "Probabilities", f"calibrated, temperature {contract.temperature:.3f}"
    yield "Model SHA-256", sha256
    for name, values in (("Data", contract.data), ("Made by", contract.made_by)):
        plain = [f"{key} {value}" for key, value in values.items() if isinstance(value, str | int | float)]
        if plain:
            yield name, ", ".join(plain)


def _run_card(run: Run) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    data = manifest.get("dataset", {})
    yield "Classes", ", ".join(run.labels)
    yield "Network", _network(run.recipe)
    yield "Input", f"{run.geometry.size_px} x {run.geometry.size_px} px, {run.geometry.id}"
    yield "Probabilities", f"calibrated on validation photos, temperature {run.temperature:.3f}"
    if run.thresholds:
        wanted = run.recipe.get("precision")
        aim = f", aimed at a precision of {percent(float(wanted), 0)}" if isinstance(wanted, int | float) else ""
        yield "Review thresholds", f"from {min(run.thresholds.values()):.2f} to {max(run.thresholds.values()):.2f}{aim}"
    weights = manifest.get("weights")
    if isinstance(weights, Mapping):
        yield "Started from", " ".join(Path(str(weights[key])).name for key in ("name", "file") if key in weights)
    yield from _data_rows(run, data)
    yield "Model SHA-256", str(manifest.get("model_sha256", ""))
    if (run.path / MODEL).is_file():
        yield "Model size", f"{(run.path / MODEL).stat().st_size / 1e6:.1f} MB"
    seconds = manifest.get("seconds")
    if isinstance(seconds, Mapping) and seconds:
        stages = ", ".join(f"{name} {duration(float(value))}" for name, value in seconds.items())
        yield "Time", f"{duration(sum(map(float, seconds.values())))} ({stages})"
    if manifest.get("device"):
        yield "Trained on", str(manifest["device"])
    if manifest.get("interrupted"):
        yield "Interrupted", "Training was stopped early, and the best epoch so far was kept."
    if manifest.get("resumed_after"):
        epochs = ", ".join(map(str, manifest["resumed_after"]))
        yield "Resumed", f"Training was killed, and resumed after epoch {epochs}."
    if manifest.get("made_by"):
        yield "Made by", ", ".join(f"{name} {version}" for name, version in manifest["made_by"].items())


def _data_rows(run: Run, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if data.get("layout"):
        yield "Data", f"{printable(run.dataset.name)} ({data['layout']})"
    yield "Data SHA-256", run.data_hash
    if labels := data.get("labels"):
        told = f"{labels['photos']:,} labelled photos, {labels['held_out']:,} of them held out"
        yield "Labels", f"{told}; {printable(labels['file'])}, SHA-256 {labels['sha256']}"
    if pseudo := run.manifest.get("pseudo_labels"):
        told = f"{pseudo['photos']:,} of the photos learnt from ({percent(float(pseudo['share']), 0)}) have one"
        yield "Pseudo-labels", f"{told}; photos of {printable(pseudo['folder'])}, SHA-256 {pseudo['sha256']}"


def _network(recipe: Mapping[str, Any]) -> str:
    """Backbone and head in words. Runs without a backbone setting are older and use MobileNetV2."""
    top = recipe.get("network", {})
    hidden = " and ".join(str(units) for units in top.get("hidden", ()))
    dense = f", fully connected {hidden}" if hidden else ""
    return f"{recipe.get('backbone', 'MobileNetV2')}{dense}{', one sigmoid unit' if top.get('sigmoid') else ''}"
