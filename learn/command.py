"""`phototriage learn`: a better model from what people said."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.options import json_option
from common.packages import require_learning, require_runtime

if TYPE_CHECKING:
    from learn.label_file import FiledPhoto
    from learn.material import Say
    from learn.pipeline import LearnResult

REFUSED_EXIT = 3
MOST_THREADS = 8
"""Each holds one photo in memory."""
ENOUGH_FILED = 4_000
"""Filed photos that are asked for: some of them are labelled, or gone."""


@click.command()
@click.option(
    "--inbox", type=click.Path(path_type=Path), help="The inbox whose labels are learnt; the only one if left out."
)
@click.option("--for", "service", metavar="NAME", help="A service, instead of --inbox.")
@click.option(
    "--labels", "file", type=click.Path(path_type=Path), help="Learn from this file of `labels export` instead."
)
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    help="With --labels: the model that learns. Without it a new model is made of the labelled classes alone.",
)
@click.option("--output", type=click.Path(path_type=Path), help="With --labels: the .onnx file to write.")
@click.option(
    "--rename",
    multiple=True,
    metavar="OLD=NEW",
    help="Give a class another name; two with one name are merged, OLD= retires a class. May be repeated; it stays.",
)
@click.option("--yes", is_flag=True, help="Use the new model without asking, unless it is refused.")
@click.option("--auto", is_flag=True, help="Use the new model only if it is shown to help; ask nothing.")
@click.option("--dry-run", is_flag=True, help="Only show the verdict and what would change.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write report.html with all evidence into this folder.",
)
@json_option("the verdict and its evidence, as one JSON object,")
@click.pass_context
def learn(
    ctx: click.Context,
    inbox: Path | None,
    service: str | None,
    file: Path | None,
    base: Path | None,
    output: Path | None,
    rename: tuple[str, ...],
    yes: bool,
    auto: bool,
    dry_run: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Learn from what people said, and use the better model.

    Takes the labels in force, which people made by moving photos between the class folders, and fits a new head for the
    model in use, in seconds. The gate compares both on photos that neither has learnt from: a model that does harm is
    refused, one that is shown to help may be used by itself, and where it is open you see which photos would change and
    decide. What you said of your own photos is what can show that it helps: labels, and in a terminal answers about up
    to 20 photos on which both models differ.

    The exit code is 0 if the new model is used or written, if you keep the one in use, or if there is nothing new; it
    is 3 if the gate refuses the new model, 1 for any other failure, and 2 for wrong usage.

    \b
    Examples:
      phototriage learn --dry-run
      phototriage learn --inbox ~/inbox --report learnt
      phototriage learn --rename sea=coast --rename glacier=mountain --rename street=
      phototriage learn --labels labels.jsonl --base model.onnx --output better.onnx
      phototriage learn --labels folder-of-classes --output mine.onnx
    """
    _check(inbox, service, file, base, output, yes=yes, auto=auto, dry_run=dry_run)
    require_learning("`learn`")
    require_runtime("`learn`")
    from learn.fitting.gate import REFUSED
    from learn.from_files import learn_from_files, learn_own_classes

    result: LearnResult | None
    say: Say = (lambda _, __: None) if as_json else (lambda step, found: click.echo(f"{step:<9}{found}"))
    asks = sys.stdin.isatty() and not (as_json or auto or yes or dry_run)
    told, names = partial(_told, report, say, as_json=as_json), _names(rename)
    if file is not None and base is None:
        if names or report is not None:
            raise click.UsageError("--rename and --report need a model that knows classes: an inbox, or --base.")
        learn_own_classes(file, None if dry_run else output, say, _threads(), as_json=as_json)
        return
    if file is not None and base is not None:
        result = learn_from_files(file, base, None if dry_run else output, say, names, _threads(), told)
    else:
        which = ["--inbox", str(inbox)] if inbox else ["--for", service] if service else []
        result = _for_inbox(
            which, say, names, asks=asks, yes=yes, auto=auto, dry_run=dry_run, as_json=as_json, show=told
        )
    if result is not None and result.judged.verdict.kind == REFUSED:
        ctx.exit(REFUSED_EXIT)


def _check(
    inbox: Path | None, service: str | None, file: Path | None, base: Path | None, output: Path | None,
    *, yes: bool, auto: bool, dry_run: bool,
) -> None:  # fmt: skip
    if inbox is not None and service is not None:
        raise click.UsageError("--inbox and --for cannot be combined.")
    if yes and auto:
        raise click.UsageError("--yes and --auto cannot be combined.")
    if file is None and (base is not None or output is not None):
        raise click.UsageError("--base and --output need --labels.")
    if file is not None and (inbox is not None or service is not None or auto):
        raise click.UsageError("--labels learns without an inbox: leave out --inbox, --for and --auto.")
    if file is not None and output is None and not dry_run:
        raise click.UsageError("--output is missing: name the .onnx file to write, or pass --dry-run.")


def _told(report: Path | None, say: "Say", found: "LearnResult", *, as_json: bool) -> None:
    _show(found, as_json)
    if report is not None:
        from learn.report import write_report

        say("report", str(write_report(report, found)))


def _names(rename: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in rename]
    if wrong := next((old + equals + new for old, equals, new in pairs if not (old and equals)), ""):
        raise click.UsageError(f"--rename takes OLD=NEW, not {wrong!r}.")
    return {old: new for old, _, new in pairs}


def _for_inbox(
    which: Sequence[str],
    say: "Say",
    names: dict[str, str],
    *,
    asks: bool,
    yes: bool,
    auto: bool,
    dry_run: bool,
    as_json: bool,
    show: Callable[["LearnResult"], None],
) -> "LearnResult | None":
    import tempfile

    from learn.errors import NothingToLearn
    from learn.fitting.gate import HELPS
    from learn.inbox import Inbox
    from learn.label_file import read_filed, read_labels
    from learn.pipeline import learn as run
    from learn.publish import files_of, publish

    with tempfile.TemporaryDirectory(prefix="phototriage-") as folder:
        inbox = Inbox(which, Path(folder))
        labels, model = read_labels(inbox.labels()), inbox.model()
        filed = read_filed(inbox.filed(ENOUGH_FILED))
        threads = 1 if auto else _threads()  # nobody waits, and memory is limited
        try:
            result = run(model, labels, filed, say, _ask if asks else _nobody, threads=threads, rename=names)
        except NothingToLearn as nothing:
            click.echo(json.dumps({"verdict": None, "why": str(nothing), "is_new": False}) if as_json else str(nothing))
            return None
        show(result)
        if result.data is None or dry_run:
            return result
        takes = result.judged.verdict.kind == HELPS if auto else yes or (asks and click.confirm("Use the new model?"))
        if not takes:
            say("kept", "the model in use stays as it is" + ("" if auto or asks else "; --yes uses the new one"))
            return result
        new = Path(folder) / model.name
        publish(files_of(result, new))
        say("model", inbox.use(new))
        return result


def _ask(photo: "FiledPhoto", classes: tuple[str, ...]) -> str | None:
    """Ask for the class of a photo, without telling what either model says."""
    click.echo(f"\nWhich class is {click.format_filename(photo.path)}?")
    said: str = click.prompt(
        "class, `none`, or Enter to skip", default="", show_default=False, type=click.Choice(["", "none", *classes]),
        show_choices=True,
    )  # fmt: skip
    return said or None


def _nobody(_: "FiledPhoto", __: tuple[str, ...]) -> None:
    """Answer nothing: labels speak for the new model, and what had to be asked counts against it."""


def _show(result: "LearnResult", as_json: bool) -> None:
    from learn.show import facts, lines

    if as_json:
        click.echo(json.dumps(facts(result)))
        return
    for line in lines(result):
        click.echo(line)


def _threads() -> int:
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)
