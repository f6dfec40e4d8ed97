"""`phototriage report`: write the report of a run again. Heavy modules are imported only when the command runs."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the report; by default the run folder.")
def report(run: Path, output: Path | None) -> None:
    """Write report.html and its figures from a run folder.

    The command reads the photos of the mistakes again; missing ones leave an empty tile. It does not run the network.

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
