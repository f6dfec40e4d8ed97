"""`phototriage compare`: compare runs. Heavy modules are imported only when the command runs."""

import json
from pathlib import Path

import click

from common.options import json_option


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for compare.html, a PNG and changes.csv.")
@json_option("the comparison as one JSON object")
def compare(runs: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Compare runs: metrics, settings that differ, and photos whose prediction changed.

    RUN is a run folder. The first run is the reference for the others. The comparison uses test photos if every run has
    some, otherwise validation photos. McNemar's test on the common photos tells whether a difference is more than
    chance.

    \b
    Examples:
      phototriage compare runs/quick runs/mine
      phototriage compare runs/quick runs/mine runs/large --output compared
      phototriage compare runs/quick runs/mine --json
    """
    if len(runs) < 2:
        raise click.UsageError("Pass two runs or more.")
    from rich.console import Console

    from training.compare.comparison import compare_runs
    from training.compare.show import show
    from training.output import check_output

    comparison = compare_runs(runs)
    if output is not None:
        for run in comparison.runs:
            check_output(output, run.run.dataset)
    if as_json:
        click.echo(json.dumps(comparison.to_dict(), ensure_ascii=False))
    else:
        show(comparison, Console())
    if output is not None:
        from training.compare.write import write_comparison

        page = write_comparison(output, comparison)
        click.echo(f"The comparison is in {click.format_filename(page)}.", err=as_json)
