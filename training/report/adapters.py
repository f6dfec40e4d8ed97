"""Build the input of a report from a run folder or an evaluation."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from common.text import printable
from training.measure.evaluate import Evaluation
from training.measure.foreign import Foreign
from training.measure.predictions import read_predictions
from training.report.about import About, about_run
from training.report.content import NextStep, ReportFinding, ReportInput, count
from training.report.findings import check_step, findings_of_run, suspect_label_finding
from training.report.read import read_history
from training.report.told import ForeignKind, Told, told_by
from training.run import HISTORY, MODEL, PREDICTIONS, Run

_LISTED = 200  # unreadable photos that a finding holds; the page shows fewer


def report_of_run(run: Run, findings: Sequence[ReportFinding] = ()) -> ReportInput:
    """Build the report of a run from the files in its folder.

    Args:
        findings: more findings about the data, shown after those of the run.

    Raises:
        RunError: predictions.csv is missing or damaged.
    """
    return ReportInput(
        title=printable(run.path.resolve().name),
        labels=run.labels,
        predictions=read_predictions(run.path / PREDICTIONS, run.dataset, run.labels),
        root=run.dataset,
        source=f"A classifier of {count(len(run.labels), 'class')}, trained on {printable(run.dataset.name)}.",
        history=read_history(run.path / HISTORY),
        thresholds=run.thresholds,
        findings=(*findings_of_run(run), *findings),
        card=about_run(run).card,
        recipe=run.recipe,
        steps=(*_next_steps_of_run(run.path), check_step(run)),
        told=told_by(run),
    )


def _next_steps_of_run(run: Path) -> tuple[NextStep, ...]:
    folder = _pasted(run)
    return (
        NextStep("Convert it to one verified model file:", f"phototriage convert {folder} --output model.onnx"),
        NextStep("Measure it on other labelled photos:", f"phototriage evaluate {folder} PHOTOS --output measured"),
        NextStep("Compare it with another run:", f"phototriage compare {folder} OTHER --output compared"),
        NextStep("File photos with it:", "phototriage watch --inbox inbox --output sorted --model model.onnx"),
    )


def report_of_evaluation(
    evaluation: Evaluation, about: About | None = None, findings: Sequence[ReportFinding] = ()
) -> ReportInput:
    """Build the report of an evaluation.

    Args:
        about: thresholds, card and settings of the model (`about_model`), if known.
        findings: more findings about the data, shown after the unreadable photos.
    """
    dataset = evaluation.dataset
    known = about or About()
    model = ("Model", printable(evaluation.model.name))
    return ReportInput(
        title=f"{printable(evaluation.model.name)} on {printable(dataset.root.resolve().name)}",
        labels=dataset.labels,
        predictions=evaluation.predictions,
        root=dataset.root,
        source=dataset.sentence(),
        thresholds=known.thresholds,
        findings=(_unreadable(evaluation), suspect_label_finding(evaluation.predictions, dataset.labels), *findings),
        card=(model, *known.card),
        recipe=known.recipe,
        steps=_next_steps_of_model(evaluation.model),
        told=Told(foreign=_foreign(evaluation.foreign)),
    )


def _foreign(found: Foreign | None) -> tuple[ForeignKind, ...]:
    kinds = () if found is None else found.kinds
    return tuple(
        ForeignKind(printable(kind.name), kind.off.photos, kind.off.share, kind.off.interval) for kind in kinds
    )


def _next_steps_of_model(model: Path) -> tuple[NextStep, ...]:
    name = _pasted(model)
    if model.suffix.lower() != ".onnx":
        run = _pasted(model.parent if model.name == MODEL else model)
        return (NextStep("Convert it to one verified model file:", f"phototriage convert {run} --output model.onnx"),)
    return (
        NextStep("Show the contract of the model:", f"phototriage inspect {name}"),
        NextStep("File photos with it:", f"phototriage watch --inbox inbox --output sorted --model {name}"),
    )


def _pasted(path: Path) -> str:
    """The name of a file or folder as a shell needs it, without the folders above: a report is handed on."""
    return shlex.quote(printable(path.resolve().name))


def _unreadable(evaluation: Evaluation) -> ReportFinding:
    number = len(evaluation.unreadable)
    if not number:
        return ReportFinding("Unreadable", "ok", "Every photo could be read.")
    shown = tuple((path, printable(reason)) for path, reason in evaluation.unreadable[:_LISTED])
    return ReportFinding(
        "Unreadable", "warning", f"{count(number, 'photo')} could not be read and are not counted.", shown
    )
