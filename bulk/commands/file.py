"""`phototriage bulk file`: file what results say, or copy it to another storage."""

from math import inf
from pathlib import Path

import click

from common.options import json_option
from daemon.commands.option_types import FolderOrFile, Template
from daemon.commands.shared_options import preview_option
from daemon.filing.layout import DEFAULT_LAYOUT


@click.command("file")
@click.argument("results", metavar="RESULTS")
@click.option("--inbox", type=FolderOrFile(), help="Folder that holds the photos of the results.")
@click.option("--output", type=FolderOrFile(), help="Folder that holds the class folders.")
@click.option(
    "--mode",
    type=click.Choice(["move", "copy", "hardlink", "symlink"]),
    default="move",
    show_default=True,
    help="As in `sort`.",
)
@click.option("--layout", type=Template(), default=DEFAULT_LAYOUT, show_default=True, help="As in `sort`.")
@preview_option
@json_option("one JSON object per line")
@click.pass_context
def file(
    ctx: click.Context, results: str, inbox: Path | None, output: Path | None, mode: str, layout: str, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """File the photos that `phototriage bulk run` judged, under their classes.

    Run it on the machine that holds the photos. Each photo is read once more: one that changed after it was judged
    stays. A class that a person gave a photo goes before the model's. Companions go along. All is one batch, and `undo
    --batch N` takes it back. If it is interrupted, the same command goes on. No daemon may run on the inbox meanwhile.
    The exit code is 1 if a photo stays that was judged to be filed.

    \b
    Examples:
      phototriage bulk file results --inbox /photos --output /sorted --dry-run
      phototriage bulk file results --inbox /photos --output /sorted
      phototriage undo --inbox /photos --batch 1
    """
    if inbox is None or output is None:
        raise click.UsageError("Pass --inbox and --output.")
    from common.packages import require_bulk

    require_bulk("`bulk file`", "pyarrow")
    from bulk.filing.case import Wanted
    from bulk.filing.file import file_results
    from bulk.filing.rehearse import rehearse_filing
    from bulk.results.store import ResultStore
    from daemon.filing.layout import FilingOptions, Layout
    from daemon.photo import Mode
    from daemon.status.report import Report

    wanted = Wanted(inbox, output, layout, FilingOptions(Mode(mode), Layout(layout)))
    report = Report(output.resolve(), as_json=as_json, quiet=False, patience_s=inf)
    try:
        done = (rehearse_filing if dry_run else file_results)(ResultStore(results), wanted, report)
    finally:
        report.close()
    ctx.exit(0 if done else 1)
