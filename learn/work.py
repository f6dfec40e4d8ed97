"""Learns from files, asks, shows what was found, and leaves the new model in a file if it is to be used."""

import json
import sys
from collections.abc import Callable
from functools import partial

import click

from contract.labels import OTHER
from contract.shipped import SHIPPED_MODEL
from learn import apart
from learn.audits import read_audits
from learn.errors import NothingToLearn
from learn.fitting.gate import HELPS, REFUSED
from learn.fresh import learn_fresh
from learn.job import Job
from learn.label_file import FiledPhoto, Label, read_filed, read_labels, spread
from learn.pipeline import AskAbout, LearnResult, learn
from learn.publish import files_of, publish
from learn.report import ready, write_report
from learn.show import facts, lines
from learn.whole_network import advice

MOST_THREADS = 8
"""Each holds one photo in memory."""
MOST_LABELS = 10_000
"""More would make no better head, but take hours and gigabytes (docs/measurements.md)."""
Limit = Callable[[int, int], None]


def work(job: Job, threads: int, limit: Limit) -> int:
    """Do a job; returns the exit code of the child.

    Args:
        job: what is learnt from which files.
        threads: that read photos.
        limit: called with the number of labels and of threads, before the first photo is read.

    Raises:
        PhototriageError: nothing can be learnt.
    """
    if job.report is not None:
        ready(job.report)
    labels = _labels(job)
    if labels or job.names:  # else nothing is read
        limit(len(labels), threads)
    if job.base is None:
        _own_classes(job, labels, threads)
        return 0
    filed = [] if job.filed is None else read_filed(job.filed)
    asks = job.filed is not None and sys.stdin.isatty() and not (job.as_json or job.auto or job.yes or job.dry_run)
    ask = None if job.filed is None else partial(answer_about, _ask if asks else _nobody)
    try:
        result = learn(job.base, labels, filed, job.say, ask, threads=threads, rename=job.names)
    except NothingToLearn as nothing:
        if job.filed is None:
            raise
        click.echo(json.dumps({"verdict": None, "why": str(nothing), "is_new": False}) if job.as_json else str(nothing))
        return 0
    _show(job, result)
    if result.data is not None and not job.dry_run and _takes(job, result, asks=asks):
        publish(files_of(result, job.new))
    return apart.REFUSED if result.judged.verdict.kind == REFUSED else 0


def _labels(job: Job) -> list[Label]:
    given = read_labels(job.labels)
    labels = spread(given, MOST_LABELS)
    if len(labels) < len(given):
        job.say("labels", f"{len(given):,}, of which {len(labels):,} take part: of each class its share")
    return labels


def _show(job: Job, result: LearnResult) -> None:
    told = [json.dumps(facts(result))] if job.as_json else [*lines(result), *advice(result.whole_network, job.train_on)]
    for line in told:
        click.echo(line)
    if job.report is not None:
        audits = [] if job.audits is None else read_audits(job.audits)
        job.say("report", str(write_report(job.report, result, audits)))


def _takes(job: Job, result: LearnResult, *, asks: bool) -> bool:
    """Whether the new model is to be used."""
    if job.filed is None or job.yes:
        return True
    if result.judged.verdict.kind == HELPS if job.auto else asks and click.confirm("Use the new model?"):
        return True
    job.say("kept", "the model in use stays as it is" + ("" if job.auto or asks else "; --yes uses the new one"))
    return False


def answer_about(ask: AskAbout, photo: FiledPhoto, classes: tuple[str, ...]) -> str | None:
    """Return what a person said of a photo: in an audit, or else when asked now."""
    return photo.audited if photo.audited in (*classes, OTHER) else ask(photo, classes)


def _ask(photo: FiledPhoto, classes: tuple[str, ...]) -> str | None:
    """Ask for the class of a photo, without telling what either model says."""
    click.echo(f"\nWhich class is {click.format_filename(photo.path)}?")
    said: str = click.prompt(
        "class, `none`, or Enter to skip", default="", show_default=False, type=click.Choice(["", "none", *classes]),
        show_choices=True,
    )  # fmt: skip
    return said or None


def _nobody(_: FiledPhoto, __: tuple[str, ...]) -> None:
    """Answer nothing: labels speak for the new model, and what had to be asked counts against it."""


def _own_classes(job: Job, labels: list[Label], threads: int) -> None:
    """Make a model of the labelled classes alone, and say what it is good for."""
    result = learn_fresh(SHIPPED_MODEL, labels, job.say, threads=threads)
    if not job.dry_run:
        publish({job.new: result.data})
    if job.as_json:
        click.echo(json.dumps({"accuracy": result.accuracy, "photos": result.photos, "gone": result.gone}))
        return
    share = "cannot be told, because no photo could judge" if result.accuracy is None else f"{result.accuracy:.1%}"
    job.say("accuracy", f"{share} of photos that the head had not seen" if result.accuracy is not None else share)
    for sentence in result.sentences:
        click.echo(sentence)
