"""`phototriage report`: write a run's report anew. Nothing heavy is imported before the command really runs."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report; by default the run's own.")
def report(run: Path, output: Path | None) -> None:
    """Write a run's report.html and its figures, from the files in the run folder.

    The photos behind the mistakes are read again; those that are gone leave an empty tile. No network is run.

    \b
    Examples:
      phototriage report runs/mine
      phototriage report runs/mine --output for-a-colleague
    """
    from training.report.adapters import report_of_run
    from training.report.write import write_report
    from training.run import load_run

    page = write_report(output or run, report_of_run(load_run(run)))
    click.echo(f"The report is in {click.format_filename(page)}.")
