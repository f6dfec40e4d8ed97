"""`phototriage compare`: compare models. Heavy modules are imported only when the command runs."""

import json
from pathlib import Path

import click

from common.options import json_option


@click.command()
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="MODEL MODEL...")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for compare.html, a PNG and changes.csv.")
@json_option("the comparison as one JSON object")
def compare(models: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Compare runs, evaluations and model files: metrics, and photos whose prediction changed.

    MODEL is a run folder, a folder that `evaluate --output` wrote, or an .onnx file. The first one whose photos are
    known is the reference for the others. The comparison uses test photos if all have some, otherwise validation
    photos. McNemar's test on the common photos tells whether a difference is more than chance. An .onnx file holds
    figures without photos, so these are shown and not tested.

    \b
    Examples:
      phototriage compare runs/quick runs/mine
      phototriage compare runs/quick runs/mine model.onnx --output compared
      phototriage compare measured/old measured/new --json
    """
    if len(models) < 2:
        raise click.UsageError("Pass two or more.")
    from rich.console import Console

    from training.compare.comparison import compare_models
    from training.compare.show import show
    from training.output import check_output

    compared = compare_models(models)
    if output is not None:
        for root in {item.root for item in compared.compared if item.root is not None}:
            check_output(output, root)
    if as_json:
        click.echo(json.dumps(compared.to_dict(), ensure_ascii=False))
    else:
        show(compared, Console())
    if output is not None:
        from training.compare.write import write_comparison

        page = write_comparison(output, compared)
        click.echo(f"The comparison is in {click.format_filename(page)}.", err=as_json)
