"""`phototriage convert`: options and terminal output."""

import json
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.options import json_option
from contract.shipped import SHIPPED_BROAD

if TYPE_CHECKING:
    from contract.metadata import Precision
    from convert.pipeline import ConversionResult


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option(
    "--output", type=click.Path(path_type=Path), help="The .onnx file to write. An existing file is replaced."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="fp32 (default) computes exactly what was trained; int8 is for CPUs, fp16 for GPUs.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0, max=100),
    help="Points of accuracy that fp16 or int8 may lose on the validation photos.  [default: 1]",
)
@click.option(
    "--foreign",
    type=click.Path(path_type=Path),
    help="Pictures that belong to no class: up to 200 of them go into the memory beside the model, for `learn`.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    help="Verify an .onnx file again on this machine, instead of converting a RUN.",
)
@click.option(
    "--broad",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=SHIPPED_BROAD,
    help="Convert a broad network alone: features and embeddings out. Without a file, the one that ships.",
)
@json_option("only the results, as one JSON object,")
def convert(
    run: Path | None,
    output: Path | None,
    precision: "Precision | None",
    max_drop: float | None,
    foreign: Path | None,
    check: Path | None,
    broad: Path | None,
    as_json: bool,
) -> None:
    """Turn a run folder into one verified model file.

    RUN is a folder written by `phototriage train`. The network is exported to ONNX with everything inside: rescaling,
    temperature, softmax, and the contract (labels, geometry, thresholds, metrics). Then Keras and ONNX Runtime classify
    the same validation photos. If they agree, one rename publishes the file. If not, the file at --output stays
    unchanged. A smaller precision is also measured on the validation photos.

    \b
    Examples:
      phototriage convert runs/scenes --output model.onnx
      phototriage convert runs/scenes --output model.int8.onnx --precision int8
      phototriage convert --check model.onnx
      phototriage convert --broad --output broad.onnx
    """
    if check is not None:
        if any(one is not None for one in (run, output, precision, max_drop, foreign, broad)):
            raise click.UsageError("--check verifies one finished file. Leave out RUN and all options but --json.")
        _check(check, as_json)
        return
    if broad is not None:
        if run is not None or output is None or any(one is not None for one in (precision, max_drop, foreign)):
            raise click.UsageError("--broad needs --output, and no RUN, --precision, --max-drop or --foreign.")
        _convert_broad(broad, output, as_json)
        return
    if run is None or output is None:
        raise click.UsageError("RUN or --output is missing. Pass both, or pass --check with a finished file.")
    if max_drop is not None and precision in (None, "fp32"):
        raise click.UsageError("--max-drop needs --precision fp16 or int8, because fp32 must agree with Keras.")
    from convert.pipeline import convert_run
    from convert.precision import MAX_DROP_POINTS

    allowed = MAX_DROP_POINTS if max_drop is None else max_drop
    converted = convert_run(run, output, _silent if as_json else _line, precision or "fp32", allowed, foreign)
    if as_json:
        click.echo(json.dumps(converted.to_json(), ensure_ascii=False))
    else:
        _print_end(converted)


def _check(model: Path, as_json: bool) -> None:
    from convert.check import check_model

    checked = check_model(model)
    if as_json:
        click.echo(json.dumps(checked.to_json(), ensure_ascii=False))
        return
    for name, found in checked.rows().items():
        _line(name, found)
    click.echo(f"{click.format_filename(model)} computes on this machine what was verified.")


def _convert_broad(network: Path, output: Path, as_json: bool) -> None:
    from convert.broad import convert_broad

    converted = convert_broad(network, output, _silent if as_json else _line)
    if as_json:
        click.echo(json.dumps(converted.to_json(), ensure_ascii=False))
    else:
        _line("written", f"{converted.output}, {converted.size_bytes / 1e6:.1f} MB")


def _line(step: str, found: str) -> None:
    """Print what a step found, within 80 columns; a path stays whole."""
    click.echo(
        textwrap.fill(
            found,
            80,
            initial_indent=f"{step:<9}",
            subsequent_indent=" " * 9,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _silent(step: str, found: str) -> None:
    """Print nothing, because a script reads only the JSON object."""


def _print_end(converted: "ConversionResult") -> None:
    replaced = ", replacing the older file" if converted.replaced else ""
    _line(
        "written", f"{converted.output}, {converted.size_bytes / 1e6:.1f} MB{replaced}, after {converted.seconds:.1f} s"
    )
    model = shlex.quote(click.format_filename(converted.output))
    click.echo(f"Next: phototriage sort --inbox INBOX --output SORTED --model {model}")
