"""`phototriage train-broad`: options and terminal output."""

import json
from pathlib import Path

import click

from common.options import json_option
from common.text import printable


@click.command("train-broad")
@click.argument("photos", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="The .npz file; its card lies beside it."
)
@click.option("--steps", type=click.IntRange(1, 1_000_000), help="Batches of 32 photos to learn from.  [default: 600]")
@click.option(
    "--size-px", type=click.IntRange(32, 512), help="Side of the square input; it learns at 4/5 of it.  [default: 160]"
)
@click.option("--precision", type=click.Choice(["fp16", "fp32"]), default="fp16", help="How the weights are stored.")
@click.option("--seed", type=int, default=0, help="Seed of order, cuts and damage.")
@json_option("the result as one JSON object")
def train_broad(
    photos: tuple[Path, ...],
    output: Path,
    steps: int | None,
    size_px: int | None,
    precision: str,
    seed: int,
    as_json: bool,
) -> None:
    """Train the broad network, from which `train` begins, on unlabelled photos of all kinds.

    PHOTOS are photos, folders with all folders below, or text files that hold a path a line. MobileNetV2 begins with
    ImageNet's weights. It learns to give, for a shrunk, compressed, blurred or noisy photo, the features that it gave
    to the clean photo before. Photos smaller than the input make up at most half of each batch. Mix many kinds of
    photos, because a narrow mix harms (docs/broad-network.md). The same command gives the same bytes.

    \b
    Examples:
      phototriage train-broad photos things.txt --output broad.npz
      phototriage train-broad photos --output broad.npz --steps 2000 --size-px 128
    """
    from rich.console import Console

    from common.silence import silenced
    from training.broad.distil import DistilSettings
    from training.broad.make import train_broad_network
    from training.progress import Reporter

    standard = DistilSettings()
    settings = DistilSettings(size_px=size_px or standard.size_px, steps=steps or standard.steps, seed=seed)
    reporter = Reporter(Console(stderr=as_json))
    with silenced():
        made = train_broad_network(photos, output, settings, precision, reporter)
    if as_json:
        click.echo(json.dumps(made.to_json(), ensure_ascii=False))
    else:
        reporter.say(f"The broad network {made.network.id} is in {printable(output)}, its card beside it.")
