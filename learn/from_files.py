"""`phototriage learn --labels`: from files, without a daemon."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from contract.shipped import SHIPPED_MODEL
from convert.pipeline import check_output
from learn.fresh import learn_fresh
from learn.label_file import read_labels
from learn.material import Say
from learn.pipeline import LearnResult, learn
from learn.publish import files_of, publish


def learn_from_files(
    file: Path, base: Path, output: Path | None, say: Say, names: dict[str, str], threads: int,
    show: Callable[[LearnResult], None],
) -> LearnResult:  # fmt: skip
    """Learn from exported labels, and write the new model unless it is refused.

    Args:
        file: of the labels.
        base: the model that learns.
        output: the new file; None to write none.
        say: called after each step.
        names: new names of classes.
        threads: threads that read photos.
        show: called with the result before anything is written.
    """
    if output is not None:
        check_output(output)
    result = learn(base, read_labels(file), [], say, threads=threads, rename=names)
    show(result)
    if output is not None and result.data is not None:
        publish(files_of(result, output))
        say("written", f"{output}, {len(result.data) / 1e6:.1f} MB")
    return result


def learn_own_classes(file: Path, output: Path | None, say: Say, threads: int, *, as_json: bool) -> None:
    """Make a model of the labelled classes alone, write it, and say what it is good for.

    Args:
        file: of the labels, or a folder of class folders.
        output: the new file; None to write none.
        say: called after each step.
        threads: threads that read photos.
        as_json: whether to print one JSON object instead.
    """
    if output is not None:
        check_output(output)
    result = learn_fresh(SHIPPED_MODEL, read_labels(file), say, threads=threads)
    if output is not None:
        publish({output: result.data})
        say("written", f"{output}, {len(result.data) / 1e6:.1f} MB")
    if as_json:
        click.echo(json.dumps({"accuracy": result.accuracy, "photos": result.photos, "gone": result.gone}))
        return
    share = "cannot be told, because no photo could judge" if result.accuracy is None else f"{result.accuracy:.1%}"
    say("accuracy", f"{share} of photos that the head had not seen" if result.accuracy is not None else share)
    for sentence in result.sentences:
        click.echo(sentence)
