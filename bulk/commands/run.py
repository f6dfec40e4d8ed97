"""`phototriage bulk run`: judge the photos of a plan."""

import json
from pathlib import Path
from typing import Literal

import click

from common.options import json_option
from contract.shipped import SHIPPED_MODEL
from daemon.commands.option_types import FolderOrFile, ReviewBelow
from daemon.commands.shared_options import device_option, unfamiliar_option


@click.command("run")
@click.argument("plan", type=FolderOrFile())
@click.option(
    "--model",
    type=FolderOrFile(),
    default=SHIPPED_MODEL,
    show_default="the shipped scenes.onnx",
    help="Model made by `phototriage convert`.",
)
@click.option("--output", required=True, metavar="RESULTS", help="Folder or URL for the results; need not exist.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="local: processes on this machine; ray: a Ray cluster that is there.",
)
@click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster, as `ray start --head` prints it.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes judge, of all machines; default: one a core, or up to 8 on a GPU.",
)
@device_option
@click.option(
    "--review-below",
    type=ReviewBelow(),
    default="off",
    show_default=True,
    envvar="PHOTOTRIAGE_REVIEW_BELOW",
    help="As in `sort`.",
)
@unfamiliar_option
@json_option("one JSON object for each part, and one with the sums,")
def run(
    plan: Path,
    model: Path,
    output: str,
    engine: Literal["local", "ray"],
    address: str | None,
    workers: int | None,
    device: Literal["auto", "cpu", "cuda"],
    review_below: str | float,
    unfamiliar: Literal["review", "file"],
    as_json: bool,
) -> None:  # fmt: skip
    """Judge the photos of a plan that `phototriage bulk plan` made.

    Reads each photo, and writes what the model and the rules make of it into RESULTS: one Parquet part for each part of
    the plan. No photo is moved; `phototriage bulk file` does that. A photo that cannot be read is a row with the
    reason. If the run is interrupted in any way, the same command goes on.

    \b
    Examples:
      phototriage bulk run plan --output results
      phototriage bulk run plan --model garden.onnx --output results --review-below auto
      phototriage bulk run plan --output results --engine ray --address 10.0.0.1:6379
    """
    from common.packages import require_bulk, require_runtime

    require_bulk("`bulk run`", "pyarrow", *(["ray"] if engine == "ray" else []))
    require_runtime("`bulk run`")
    _check(engine, address)
    from bulk.run import run_plan

    summary = run_plan(
        plan, output, model, workers or 0, device, review_below=review_below, unfamiliar=unfamiliar, as_json=as_json,
        ray_address=address,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps({"event": "summary", **summary}))


def _check(engine: str, address: str | None) -> None:
    if engine == "local" and address is not None:
        raise click.UsageError("--address is of a Ray cluster: add --engine ray.")
    if engine == "ray" and address is None:
        from bulk.engines.ray_cluster import HOW_TO_START

        raise click.UsageError(f"--engine ray joins a cluster that is there: pass its --address. {HOW_TO_START}.")
