"""`phototriage convert`: the options, and what appears on the terminal."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from convert.pipeline import Converted


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The .onnx file to write; an older one is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, and nothing else.")
def convert(run: Path, output: Path, as_json: bool) -> None:
    """Turn a run folder into one verified model file.

    RUN is a folder written by `phototriage train`. The network is exported to ONNX with everything inside (rescaling,
    temperature, softmax, and the contract: labels, geometry, thresholds, metrics), then Keras and ONNX Runtime answer
    for the same validation photos. Only if they agree is the file published, by one rename; otherwise whatever stood
    at --output stays as it was.

    \b
    Example:
      phototriage convert runs/scenes --output model.onnx
    """
    from convert.pipeline import convert_run

    converted = convert_run(run, output, _silent if as_json else _line)
    if as_json:
        click.echo(json.dumps(converted.to_json(), ensure_ascii=False))
    else:
        _print_end(converted)


def _line(step: str, found: str) -> None:
    click.echo(f"{step:<8}{found}")


def _silent(step: str, found: str) -> None:
    """Say nothing: with --json the one object is all that a script reads."""


def _print_end(converted: "Converted") -> None:
    replaced = ", in place of the older file" if converted.replaced else ""
    _line(
        "written", f"{converted.output}, {converted.size_bytes / 1e6:.1f} MB{replaced}, after {converted.seconds:.1f} s"
    )
    model = shlex.quote(click.format_filename(converted.output))
    click.echo(f"Next: phototriage sort --inbox INBOX --output SORTED --model {model}")
