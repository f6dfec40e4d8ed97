"""From a run folder, or an evaluation, to what a report is made of."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from contract.text import printable
from training.measure.evaluate import Evaluation
from training.report.about import About, about_run
from training.report.content import Finding, ReportInput, Step, count
from training.report.findings import check_step, doubts, findings_of_run
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
    place = printable("/".join(run.dataset.parts[-2:]))
    return ReportInput(
        title=printable(run.path.resolve().name),
        labels=run.labels,
        predictions=read_predictions(run.path / PREDICTIONS, run.dataset, run.labels),
        root=run.dataset,
        source=f"A classifier of {count(len(run.labels), 'class')}, trained on {place}.",
        history=read_history(run.path / HISTORY),
        thresholds=run.thresholds,
        findings=(*findings_of_run(run), *findings),
        card=about_run(run).card,
        recipe=run.recipe,
        steps=(*_ways_on(run.path), check_step(run)),
    )


def _ways_on(run: Path) -> tuple[Step, ...]:
    folder = shlex.quote(printable(run))
    return (
        Step("Make one verified model file of it:", f"phototriage convert {folder} --output model.onnx"),
        Step("Measure it on other labelled photos:", f"phototriage evaluate {folder} PHOTOS --output measured"),
        Step("Set it beside another run:", f"phototriage compare {folder} OTHER --output compared"),
        Step("File photos with it:", "phototriage watch --inbox inbox --output sorted --model model.onnx"),
    )


def report_of_evaluation(
    evaluation: Evaluation, about: About | None = None, findings: Sequence[Finding] = ()
) -> ReportInput:
    """What the report of an evaluation shows.

    Args:
        about: the model's thresholds, card and settings (`about_model`); without it the report says less.
        findings: more about the data, to stand after the unreadable photos.
    """
    dataset = evaluation.dataset
    known = about or About()
    model = ("Model", printable(evaluation.model))
    return ReportInput(
        title=f"{printable(evaluation.model.name)} on {printable(dataset.root.resolve().name)}",
        labels=dataset.labels,
        predictions=evaluation.predictions,
        root=dataset.root,
        source=dataset.sentence(),
        thresholds=known.thresholds,
        findings=(_unreadable(evaluation), doubts(evaluation.predictions, dataset.labels), *findings),
        card=(model, *known.card),
        recipe=known.recipe,
        steps=_ways_on_from(evaluation.model),
    )


def _ways_on_from(model: Path) -> tuple[Step, ...]:
    name = shlex.quote(printable(model))
    if model.suffix.lower() != ".onnx":
        run = shlex.quote(printable(model.parent if model.name == MODEL else model))
        return (Step("Make one verified model file of it:", f"phototriage convert {run} --output model.onnx"),)
    return (
        Step("See what the model promises:", f"phototriage inspect {name}"),
        Step("File photos with it:", f"phototriage watch --inbox inbox --output sorted --model {name}"),
    )


def _unreadable(evaluation: Evaluation) -> Finding:
    number = len(evaluation.unreadable)
    if not number:
        return Finding("Unreadable", "ok", "Every photo could be read.")
    shown = tuple((path, printable(reason)) for path, reason in evaluation.unreadable[:_LISTED])
    return Finding("Unreadable", "warning", f"{count(number, 'photo')} could not be read and count neither way.", shown)
