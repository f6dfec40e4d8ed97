"""From a run folder, or an evaluation, to what a report is made of."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contract.text import printable
from training.evaluate import Evaluation
from training.progress import duration
from training.report.content import Finding, ReportInput, Step, count, percent
from training.report.read import read_history, read_predictions
from training.run import HISTORY, MODEL, PREDICTIONS, Run

_LISTED = 200  # unreadable photos that a finding carries; the page shows fewer still


def report_of_run(run: Run, findings: Sequence[Finding] = ()) -> ReportInput:
    """What the report of a run shows, from the files in its folder.

    Args:
        findings: more about the data, to stand after what the run itself knows.

    Raises:
        RunError: predictions.csv is missing or damaged.
    """
    data = run.manifest.get("dataset", {})
    place = printable("/".join(run.dataset.parts[-2:]))
    return ReportInput(
        title=printable(run.path.resolve().name),
        labels=run.labels,
        predictions=read_predictions(run.path / PREDICTIONS, run.dataset, run.labels),
        root=run.dataset,
        source=f"A classifier of {count(len(run.labels), 'class')}, trained on {place}.",
        history=read_history(run.path / HISTORY),
        thresholds=run.thresholds,
        findings=(*_of_data(data), *findings),
        card=list(_run_card(run, data)),
        recipe=run.recipe,
        steps=_ways_on(run.path),
    )


def _of_data(data: Mapping[str, Any]) -> Iterator[Finding]:
    counts = data.get("photos", {})
    if counts:
        words = {"train": "to train on", "val": "to check with", "test": "only to report on"}
        said = ", ".join(f"{number:,} {words.get(name, name)}" for name, number in counts.items() if number)
        yield Finding("Photos", "note", f"{said}.")
    unreadable = int(data.get("unreadable", 0))
    if unreadable:
        yield Finding("Unreadable", "warning", f"{count(unreadable, 'photo')} could not be read and took no part.")
    else:
        yield Finding("Unreadable", "ok", "Every photo could be read.")


def _run_card(run: Run, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    manifest = run.manifest
    yield "Classes", ", ".join(run.labels)
    yield "Input", f"{run.geometry.size_px} x {run.geometry.size_px} px, {run.geometry.id}"
    yield "Probabilities", f"calibrated on validation photos, temperature {run.temperature:.3f}"
    if run.thresholds:
        wanted = run.recipe.get("precision")
        aim = f", aimed at a precision of {percent(float(wanted), 0)}" if isinstance(wanted, int | float) else ""
        yield "Review thresholds", f"from {min(run.thresholds.values()):.2f} to {max(run.thresholds.values()):.2f}{aim}"
    weights = manifest.get("weights")
    if isinstance(weights, Mapping):
        yield "Started from", " ".join(str(weights[key]) for key in ("name", "file") if key in weights)
    if data.get("layout"):
        yield "Data", f"{printable(run.dataset)} ({data['layout']})"
    yield "Data SHA-256", run.data_hash
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
        yield "Interrupted", "Training was stopped early; the best epoch until then was kept."
    if manifest.get("made_by"):
        yield "Made by", ", ".join(f"{name} {version}" for name, version in manifest["made_by"].items())


def _ways_on(run: Path) -> tuple[Step, ...]:
    folder = shlex.quote(printable(run))
    return (
        Step("Make one verified model file of it:", f"phototriage convert {folder} --output model.onnx"),
        Step("Measure it on other labelled photos:", f"phototriage evaluate {folder} PHOTOS --output measured"),
        Step("Set it beside another run:", f"phototriage compare {folder} OTHER --output compared"),
        Step("File photos with it:", "phototriage watch --inbox inbox --output sorted --model model.onnx"),
    )


def report_of_evaluation(
    evaluation: Evaluation,
    thresholds: Mapping[str, float] | None = None,
    card: Sequence[tuple[str, str]] = (),
    findings: Sequence[Finding] = (),
) -> ReportInput:
    """What the report of an evaluation shows.

    Args:
        thresholds: the model's own, per class, where it has any. card: more rows for the model card.
        findings: more about the data, to stand after the unreadable photos.
    """
    dataset, model = evaluation.dataset, printable(evaluation.model)
    name = shlex.quote(model)
    step = Step("File photos with it:", f"phototriage watch --inbox inbox --output sorted --model {name}")
    if evaluation.model.suffix.lower() != ".onnx":
        run = evaluation.model.parent if evaluation.model.name == MODEL else evaluation.model
        step = Step(
            "Make one model file of it:", f"phototriage convert {shlex.quote(printable(run))} --output model.onnx"
        )
    return ReportInput(
        title=f"{printable(evaluation.model.name)} on {printable(dataset.root.resolve().name)}",
        labels=dataset.labels,
        predictions=evaluation.predictions,
        root=dataset.root,
        source=dataset.sentence(),
        thresholds=thresholds or {},
        findings=(_unreadable(evaluation), *findings),
        card=(("Model", model), ("Classes", ", ".join(dataset.labels)), *card),
        steps=(Step("See what the model promises:", f"phototriage inspect {name}"), step)
        if evaluation.model.suffix.lower() == ".onnx"
        else (step,),
    )


def _unreadable(evaluation: Evaluation) -> Finding:
    number = len(evaluation.unreadable)
    if not number:
        return Finding("Unreadable", "ok", "Every photo could be read.")
    shown = tuple((path, printable(reason)) for path, reason in evaluation.unreadable[:_LISTED])
    return Finding("Unreadable", "warning", f"{count(number, 'photo')} could not be read and count neither way.", shown)
