"""`phototriage inspect`: the contract inside a model file, as a table or as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from contract.shipped import SHIPPED_MODEL
from contract.text import printable


@click.command()
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False), default=SHIPPED_MODEL, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the whole contract as JSON.")
def inspect(model: Path, as_json: bool) -> None:
    """Show the contract inside a model: labels, geometry, thresholds, metrics.

    MODEL is an .onnx file; without one, the model that ships with phototriage is shown. The file is opened, every
    line of its contract is checked, and its golden sample is replayed on the CPU.

    \b
    Example:
      phototriage inspect model.onnx
      phototriage inspect model.onnx --json | jq .labels
    """
    from contract.session import open_model

    opened = open_model(model, "cpu")
    if as_json:
        facts = json.loads(opened.contract.to_json()) | {"sha256": opened.sha256, "path": printable(model)}
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    contract = opened.contract
    rows = {
        "model": str(model),
        "sha256": opened.sha256,
        "labels": ", ".join(contract.labels),
        "input": f"{contract.geometry.size_px} x {contract.geometry.size_px}, {contract.geometry.id}",
        "precision": contract.precision,
        "temperature": f"{contract.temperature:.4g}",
        "review below": _pairs(contract.thresholds),
        "metrics": _pairs(contract.metrics),
        "data": _pairs(contract.data),
        "recipe": _pairs(contract.recipe),
        "made by": _pairs(contract.made_by),
        "golden sample": f"{len(contract.golden)} pictures replayed, differing by {opened.golden_difference:.1e}",
        "tolerance": _pairs(contract.tolerance),
    }
    _print_table(rows)


def _pairs(mapping: Mapping[str, object]) -> str:
    pairs = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in mapping.items()
    )
    return ", ".join(pairs) or "-"


def _print_table(rows: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(printable(value)))
    Console().print(table)
