"""`phototriage learn`: a better model from what people said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from common.child import tidy_end
from common.options import json_option
from common.packages import require_learning, require_runtime
from learn.job import Job

ENOUGH_FILED = 4_000
"""Filed photos that are asked for: some of them are labelled, or gone."""
MODEL = "model.onnx"
"""Name of a new model until it is written to its place."""


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
    _check(inbox, service, file, base, output, rename, report, yes=yes, auto=auto, dry_run=dry_run)
    require_learning("`learn`")
    require_runtime("`learn`")
    which = ["--inbox", str(inbox)] if inbox else ["--for", service] if service else []
    train_on = ["--from-inbox", *which[1:]] if file is None else ["--labels", str(file)] if file.is_file() else []
    job = Job(
        new=Path(), labels=Path() if file is None else file, base=base, filed=None, names=_names(rename), yes=yes,
        auto=auto, dry_run=dry_run, as_json=as_json, report=report, train_on=train_on,
    )  # fmt: skip
    with tidy_end():
        if file is None:
            ctx.exit(_for_inbox(which, job))
        ctx.exit(_from_files(job, output))


def _check(
    inbox: Path | None, service: str | None, file: Path | None, base: Path | None, output: Path | None,
    rename: tuple[str, ...], report: Path | None, *, yes: bool, auto: bool, dry_run: bool,
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
    if file is not None and base is None and (rename or report is not None):
        raise click.UsageError("--rename and --report need a model that knows classes: an inbox, or --base.")


def _names(rename: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in rename]
    if wrong := next((old + equals + new for old, equals, new in pairs if not (old and equals)), ""):
        raise click.UsageError(f"--rename takes OLD=NEW, not {wrong!r}.")
    return {old: new for old, _, new in pairs}


def _for_inbox(which: Sequence[str], job: Job) -> int:
    from learn.apart import run_apart
    from learn.inbox import Inbox
    from learn.user import become_owner

    inbox = Inbox(which)
    model, state = inbox.serving()
    become_owner(state)
    with TemporaryDirectory(prefix="phototriage-") as name:
        folder = Path(name)
        labels, filed, new = folder / "labels.jsonl", folder / "filed.jsonl", folder / model.name
        inbox.labels(labels)
        inbox.filed(filed, ENOUGH_FILED)
        if job.report is not None:
            inbox.audits(audits := folder / "audits.json")
            job = replace(job, audits=audits)
        code = run_apart(replace(job, new=new, labels=labels, base=model, filed=filed))
        if new.exists():
            job.say("model", inbox.use(new))
            job.say("next", "`phototriage refile --dry-run` shows which of the filed photos would move now")
        return code


def _from_files(job: Job, output: Path | None) -> int:
    from contract.memory import memory_path
    from convert.pipeline import check_output
    from learn.apart import run_apart
    from learn.publish import publish

    if output is not None:
        check_output(output)
    with TemporaryDirectory(prefix="phototriage-") as name:
        new = Path(name) / MODEL
        code = run_apart(replace(job, new=new))
        if output is not None and new.exists():
            made = {memory_path(output): memory_path(new), output: new}
            files = {path: file.read_bytes() for path, file in made.items() if file.exists()}
            publish(files)
            job.say("written", f"{output}, {len(files[output]) / 1e6:.1f} MB")
        return code
