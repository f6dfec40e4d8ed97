"""`phototriage evaluate`: options and terminal output.

Heavy modules are imported only when a command runs, so that `--help` is fast.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.options import json_option

if TYPE_CHECKING:
    from training.measure.evaluate import Evaluation
    from training.progress import Reporter

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_FOLDER)
@click.argument("dataset", type=_FOLDER)
@click.option("--output", type=_FOLDER, help="New or empty folder for report.html, metrics.json and predictions.csv.")
@click.option("--foreign", type=_FOLDER, help="Folder of pictures of no class, by kind: how many would be filed?")
@json_option("the figures as one JSON object")
def evaluate(model: Path, dataset: Path, output: Path | None, foreign: Path | None, as_json: bool) -> None:
    """Measure a model on labelled photos.

    MODEL is a run folder, its model.keras, or an .onnx file (which needs no TensorFlow). DATASET holds one folder of
    photos per class. If it has a test folder, only that folder is measured.

    \b
    Examples:
      phototriage evaluate runs/mine photos/test
      phototriage evaluate model.onnx photos/test --output report --json
      phototriage evaluate model.onnx photos/test --foreign receipts-and-screenshots
    """
    from rich.console import Console

    from common.silence import silenced
    from training.measure.evaluate import evaluate_model
    from training.measure.show import show
    from training.progress import Reporter

    reporter = Reporter(Console(stderr=as_json))
    with silenced():
        evaluation = evaluate_model(model, dataset, output, reporter, foreign)
    if as_json:
        click.echo(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        show(evaluation, reporter)
        if output is not None:
            reporter.say(f"Metrics and predictions are in {click.format_filename(output)}.")
    if output is not None:
        _report_evaluation(evaluation, output, reporter)


def _report_evaluation(evaluation: "Evaluation", output: Path, reporter: "Reporter") -> None:
    """Write the report of an evaluation, which needs no package of the extra."""
    from training.report.about import about_model
    from training.report.adapters import report_of_evaluation
    from training.report.write import write_report

    write_report(output, report_of_evaluation(evaluation, about_model(evaluation.model)))
    reporter.say(f"The report is {click.format_filename(output / 'report.html')}.")
