"""Show an evaluation on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from common.text import printable
from training.measure.evaluate import Evaluation
from training.measure.foreign import Foreign, Review
from training.measure.metrics import Metrics
from training.progress import Reporter

MATRIX_UP_TO = 12  # classes: a wider matrix does not fit into a terminal, so the most frequent confusions are listed
SHOWN = 10
ROWS = 40
"""Of what familiarity does; --json holds all."""


def show(evaluation: Evaluation, reporter: Reporter) -> None:
    """Print accuracy, metrics per class, confusions, and what familiarity does."""
    metrics = evaluation.metrics
    _say_left_out(evaluation.unreadable, reporter)
    reporter.console.print(_classes(metrics))
    reporter.console.print(_matrix(metrics) if len(metrics.classes) <= MATRIX_UP_TO else _confusions(metrics))
    reporter.say(metrics.sentence())
    area = "undefined" if metrics.macro_auc is None else f"{metrics.macro_auc:.4f}"
    reporter.say(f"Macro F1 {metrics.macro_f1:.4f}, macro AUC {area}.")
    reporter.say(f"Log loss {metrics.log_loss:.4f}, calibration error {metrics.calibration_error:.4f}.")
    if evaluation.review is not None:
        reporter.console.print(_sent(evaluation.review))
        reporter.say(evaluation.review.sentence())
    if evaluation.foreign is not None:
        _say_left_out(evaluation.foreign.unreadable, reporter)
        reporter.console.print(_kinds(evaluation.foreign))
        for sentence in evaluation.foreign.sentences():
            reporter.say(sentence)


def _say_left_out(unreadable: Sequence[tuple[Path, str]], reporter: Reporter) -> None:
    for path, reason in unreadable[:SHOWN]:
        reporter.say(f"Left out: {printable(path)}: {reason}")
    if len(unreadable) > SHOWN:
        reporter.say(f"Left out: {len(unreadable) - SHOWN} more unreadable photos.")


def _sent(review: Review) -> Table:
    """Classes that lose most first."""
    table = Table("class", Column("photos", justify="right"), "to review as unfamiliar")
    for label, sent in sorted(review.classes.items(), key=lambda item: -item[1].share)[:ROWS]:
        table.add_row(Text(label), str(sent.photos), str(sent))
    return table


def _kinds(foreign: Foreign) -> Table:
    """Kinds that are filed most first."""
    table = Table("foreign pictures", Column("photos", justify="right"), "filed as a class", "with --review-below auto")
    for kind in sorted(foreign.kinds, key=lambda kind: -kind.off.share)[:ROWS]:
        table.add_row(Text(printable(kind.name)), str(kind.off.photos), str(kind.off), str(kind.auto))
    return table


def _classes(metrics: Metrics) -> Table:
    table = Table("class", *(Column(name, justify="right") for name in ("photos", "precision", "recall", "F1", "AUC")))
    for item in metrics.classes:
        figures = (f"{value:.3f}" for value in (item.precision, item.recall, item.f1))
        area = "\N{EN DASH}" if item.auc is None else f"{item.auc:.4f}"
        table.add_row(Text(item.label), str(item.photos), *figures, area)
    return table


def _matrix(metrics: Metrics) -> Table:
    labels = [item.label for item in metrics.classes]
    table = Table("true \\ taken for", *(Column(escape(label), justify="right") for label in labels))
    for index, (label, row) in enumerate(zip(labels, metrics.confusion, strict=True)):
        cells = (Text(str(count), style="bold" if place == index else "") for place, count in enumerate(row))
        table.add_row(Text(label), *cells)
    return table


def _confusions(metrics: Metrics) -> Table:
    labels = [item.label for item in metrics.classes]
    wrong = [
        (count, labels[true], labels[taken])
        for true, row in enumerate(metrics.confusion)
        for taken, count in enumerate(row)
        if true != taken and count
    ]
    table = Table("true", "taken for", "photos")
    for count, true, taken in sorted(wrong, reverse=True)[:SHOWN]:
        table.add_row(Text(true), Text(taken), str(count))
    return table
