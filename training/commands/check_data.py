"""`phototriage check-data`: options and terminal output."""

from pathlib import Path

import click

from common.options import json_option
from common.text import printable

_FOLDER = click.Path(path_type=Path)


@click.command("check-data")
@click.argument("dataset", type=_FOLDER)
@click.option("--run", type=_FOLDER, help="A finished run on these photos; needed to find wrong labels.")
@click.option("--output", type=_FOLDER, help="New or empty folder for findings.json and check.html.")
@click.option("--quarantine", type=_FOLDER, help="Move unreadable and blank files to this folder. Nothing is deleted.")
@json_option("all findings as one JSON object")
@click.option("--strict", is_flag=True, help="Exit 1 if a finding must be fixed before training.")
@click.pass_context
def check_data(
    ctx: click.Context,
    dataset: Path,
    run: Path | None,
    output: Path | None,
    quarantine: Path | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Find unreadable, duplicate, leaking and suspicious photos in folders of labelled photos.

    DATASET holds one folder of photos per class, or such folders in train, val and test. The command finds files that
    cannot be read, files whose name states another type, blank and tiny pictures, odd sizes, duplicates (also under two
    labels or in two splits), and classes that are too small. It changes nothing without --quarantine.

    \b
    Examples:
      phototriage check-data photos
      phototriage check-data photos --run runs/mine --output check
      phototriage check-data photos --quarantine broken
    """
    from rich.console import Console

    from common.silence import silenced
    from training.check.check import PAGE, check_dataset
    from training.check.quarantine import UNDO_SCRIPT
    from training.check.report import to_json
    from training.check.show import show
    from training.progress import Reporter

    reporter = Reporter(Console(stderr=as_json))
    with silenced():
        checked = check_dataset(dataset, reporter, run, output, quarantine)
    if as_json:
        moved = [{"from": str(item.source), "to": str(item.target), "why": item.why} for item in checked.moved]
        click.echo(to_json({**checked.report.to_dict(), "moved": moved}))
    else:
        show(checked.report, reporter)
    if output is not None:
        reporter.say(f"The page with pictures is {printable(output / PAGE)}.")
    if quarantine is not None:
        one = len(checked.moved) == 1
        files, them = ("file was", "it") if one else ("files were", "them")
        back = f" To put {them} back: sh {printable(quarantine / UNDO_SCRIPT)}" if checked.moved else ""
        reporter.say(f"{len(checked.moved):,} broken {files} moved to {printable(quarantine)}.{back}")
    if strict and checked.report.faults():
        ctx.exit(1)
