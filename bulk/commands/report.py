"""`phototriage bulk report`: what a run came to, as one page."""

import json
from pathlib import Path

import click

from common.options import json_option
from daemon.commands.option_types import FolderOrFile


@click.command("report")
@click.argument("results")
@click.option("--output", type=FolderOrFile(), required=True, metavar="DIR", help="Folder for report.html.")
@json_option("the sums as one JSON object")
def report(results: str, output: Path, as_json: bool) -> None:
    """Write report.html about results: counts by class and reason, photos in review, machines.

    A run may be under way: the page shows the parts that are there. The file holds thumbnails of some photos in review,
    drawn at random, and loads nothing.

    \b
    Examples:
      phototriage bulk report results --output report
    """
    from common.packages import require_bulk

    require_bulk("`bulk report`", "pyarrow")
    from bulk.report.write import PAGE, write_report

    tally = write_report(results, output)
    if as_json:
        verdicts = dict(tally.verdicts)
        click.echo(json.dumps({"page": str(output / PAGE), "parts": tally.parts, "photos": tally.photos, **verdicts}))
    else:
        click.echo(f"{tally.photos:,} photos of {tally.parts:,} parts: {output / PAGE}")
