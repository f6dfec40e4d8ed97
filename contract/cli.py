"""`phototriage inspect`: show the contract of a model file as a table or as JSON."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from common.errors import CompanionError
from common.options import json_option
from common.tables import show
from common.text import printable
from contract.familiarity import Familiarity
from contract.memory import MemoryFacts, memory_path, read_memory
from contract.shipped import SHIPPED_MODEL


@click.command()
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False), default=SHIPPED_MODEL, required=False)
@json_option("the whole contract as one JSON object")
def inspect(model: Path, as_json: bool) -> None:
    """Show the contract inside a model: labels, geometry, thresholds, metrics.

    MODEL is an .onnx file; the default is the model that ships with phototriage. The command checks every line of the
    contract and replays the golden sample (pictures with the answers that the model gave when it was made) on the CPU.
    The table shows what a reader asks first; --json prints all of it.

    \b
    Examples:
      phototriage inspect model.onnx
      phototriage inspect model.onnx --json | jq .labels
    """
    from contract.session import open_model

    opened = open_model(model, "cpu")
    if as_json:
        facts = json.loads(opened.contract.to_json()) | {"sha256": opened.sha256, "path": printable(model)}
        facts |= {"memory_file": _memory_file(model, opened.contract.memory)} if opened.contract.memory else {}
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    contract = opened.contract
    _print_table(
        {
            "model": str(model),
            "sha256": opened.sha256,
            "labels": ", ".join(contract.labels),
            "input": f"{contract.geometry.size_px} x {contract.geometry.size_px}, {contract.geometry.id}",
            "precision": contract.precision,
            "accuracy": "; ".join(_accuracies(contract.metrics)) or "-",
            "review below": _thresholds(contract.thresholds),
            "unfamiliar": _familiarity(contract.familiarity),
            "trained on": _pairs({name: value for name, value in contract.data.items() if name != "sha256"}),
            "memory": _memory(model, contract.memory),
            **({"learned": str(contract.learned)} if contract.learned is not None else {}),
            "golden sample": f"{len(contract.golden)} pictures replayed, max difference {opened.golden_difference:.1e}",
        }
    )
    split = next((name for name in ("test", "validation") if _classes(contract.metrics.get(name))), None)
    if split is not None:
        _print_classes(split, _classes(contract.metrics[split]))
    click.echo("More (recipe, versions, all metrics, tolerances): --json")


def _thresholds(thresholds: Mapping[str, float]) -> str:
    values = set(thresholds.values())
    if len(values) == 1 and len(thresholds) > 1 and values != {0.0}:
        return f"{_figure(values.pop())}, whatever the class"
    return _pairs({label: least for label, least in thresholds.items() if least})


def _familiarity(familiarity: Familiarity | None) -> str:
    if familiarity is None:
        return "not known, so photos of no class are filed like all others"
    promise = (
        f"at most {1 - familiarity.kept_at_least:.1%} of good photos" if familiarity.kept_at_least else "no promise"
    )
    return f"familiarity below {familiarity.threshold:.3f}; {promise}"


def _memory(model: Path, facts: MemoryFacts | None) -> str:
    if facts is None:
        return "none, so `learn` has no photos of this model to test with"
    return f"{memory_path(model).name}, {_memory_file(model, facts)}: {facts}"


def _memory_file(model: Path, facts: MemoryFacts) -> str:
    """Whether the memory that the contract names lies beside the model."""
    try:
        return "whole" if read_memory(model, facts) is not None else "missing"
    except CompanionError as error:
        return str(error)


def _accuracies(metrics: Mapping[str, object]) -> Iterator[str]:
    """Yield the accuracy of each set of photos that was measured, the test photos first."""
    for name, figures in sorted({"": metrics, **metrics}.items(), key=lambda item: item[0] != "test"):
        if isinstance(figures, Mapping) and "accuracy" in figures:
            interval = figures.get("interval")
            between = " to ".join(map(_short, interval)) if isinstance(interval, list) else ""
            yield " ".join(filter(None, (_short(figures["accuracy"]), name, between and f"({between})")))


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else _figure(value)


def _classes(figures: object) -> list[Mapping[str, object]]:
    """Return the metrics of each class of one set of photos; none where they were not measured."""
    classes = figures.get("classes") if isinstance(figures, Mapping) else None
    return classes if isinstance(classes, list) else []


def _pairs(mapping: Mapping[str, object]) -> str:
    return ", ".join(_flat(mapping, "")) or "-"


def _flat(mapping: Mapping[str, object], prefix: str) -> Iterator[str]:
    """Yield `name value` for each plain value, prefixed with the names of outer mappings; skip lists of mappings."""
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield f"{prefix}{name} {_figure(value)}"
        elif not any(isinstance(item, Mapping) for item in value):
            yield f"{prefix}{name} " + " to ".join(_figure(item) for item in value)


_FIRST = ("label", "photos", "precision", "recall", "f1")


def _figure(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_classes(split: str, classes: list[Mapping[str, object]]) -> None:
    """Print the metrics of each class."""
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys(name for figures in classes for name in figures))
    names.sort(key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    table = Table(title=f"each class on the {printable(split)} photos", title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(printable(name), justify="left" if name == "label" else "right")
    for figures in classes:
        table.add_row(*(Text(printable(_figure(figures.get(name, "")))) for name in names))
    show(table)


def _print_table(rows: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(printable(value)))
    show(table)
