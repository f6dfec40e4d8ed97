"""`phototriage train` and `phototriage evaluate`: the options, and what appears on the terminal.

Nothing heavy is imported before a command really runs, so that `--help` answers at once.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from contract.errors import PhototriageError
from training.errors import RecipeError
from training.recipe.recipe import Backbone, FineTune, Recipe
from training.recipe.recipe_file import Grid, load_recipe_or_grid, shipped_recipes
from training.recipe.settings import parse_setting

if TYPE_CHECKING:
    from training.measure.evaluate import Evaluation
    from training.progress import Reporter

_FOLDER = click.Path(path_type=Path)


class _Layers(click.ParamType[int | str]):
    """`all`, a number of layers, or a number of blocks."""

    name = "N|N blocks|all"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Turn the option's text into what the recipe takes."""
        text = str(value)
        if text == "all" or FineTune(unfreeze=text).blocks:
            return text
        try:
            return int(text)
        except ValueError:
            self.fail(
                f"{value!r} is neither a number of layers, nor of blocks such as '3 blocks', nor 'all'", param, ctx
            )


@click.command()
@click.argument("dataset", type=_FOLDER)
@click.option("--output", required=True, type=_FOLDER, help="Folder for the run: new, empty, or of an unfinished run.")
@click.option("--restart", is_flag=True, help="Begin an unfinished run anew instead of going on with it.")
@click.option(
    "--recipe",
    metavar="FILE|NAME",
    help=f"TOML file of settings, or one that is shipped: {', '.join(shipped_recipes())}. Options win over it.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting of a recipe, such as network.hidden=[512].",
)
@click.option("--test", type=_FOLDER, help="Labelled photos to report on at the very end; they decide nothing.")
@click.option("--backbone", type=click.Choice(get_args(Backbone)), help="The network that what is trained stands on.")
@click.option("--size-px", type=int, help="Side of the network's square input.")
@click.option("--geometry", type=click.Choice(["stretch", "letterbox"]), help="How a photo becomes a square.")
@click.option("--epochs", type=int, help="Epochs of fine-tuning; 0 trains the head alone, in seconds.")
@click.option("--batch-size", type=int, help="Photos per step of fine-tuning.")
@click.option("--learning-rate", type=float, help="Highest learning rate of fine-tuning.")
@click.option("--unfreeze", type=_Layers(), help="How many layers or blocks from the end to fine-tune.")
@click.option(
    "--batch-norm",
    type=click.Choice(["train", "frozen"]),
    help="Learn the statistics of these photos, or keep those of the initial weights.",
)
@click.option("--weights", type=click.Choice(["imagenet", "none"]), help="Weights to start from.")
@click.option("--seed", type=int, help="Seed of the split, the order and the augmentation.")
def train(
    dataset: Path,
    output: Path,
    restart: bool,
    recipe: str | None,
    settings: tuple[str, ...],
    test: Path | None,
    backbone: str | None,
    size_px: int | None,
    geometry: str | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    unfreeze: int | str | None,
    batch_norm: str | None,
    weights: str | None,
    seed: int | None,
) -> None:
    """Fine-tune a classifier on folders of labelled photos.

    DATASET holds one folder of photos per class, or such folders in train, val and test (also seg_train/seg_train).
    Photos are decoded once, into a cache that the next run finds; a linear head is trained on cached features; then
    the network is fine-tuned, and its best epoch on validation photos is kept. The run folder that comes out goes to
    `phototriage convert`. Ctrl-C stops early and keeps the best so far. After a kill, the same command goes on after
    the last whole epoch.

    \b
    Examples:
      phototriage train photos --output runs/mine
      phototriage train photos --output runs/quick --epochs 0
      phototriage train photos/train --test photos/test --output runs/mine --size-px 128
      phototriage train photos --recipe two-phase --output runs/two-phase --set head.epochs=5
    """
    options = {
        "backbone": backbone,
        "input.size_px": size_px,
        "input.geometry": geometry,
        "fine_tune.epochs": epochs,
        "fine_tune.batch_size": batch_size,
        "fine_tune.learning_rate": learning_rate,
        "fine_tune.unfreeze": unfreeze,
        "fine_tune.batch_norm": batch_norm,
        "weights": weights,
        "seed": seed,
    }
    chosen = load_recipe_or_grid(recipe) if recipe else Recipe()
    chosen = chosen.with_options(_merged(options, settings))
    if isinstance(chosen, Recipe):
        _train(dataset, output, chosen, test, restart)
    elif chosen.axes:
        _train_grid(dataset, output, chosen, test, restart)
    else:  # options have chosen one of its cells
        _train(dataset, output, chosen.recipe, test, restart)


def _merged(options: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """The options and the settings of --set, none of which may be given twice with different values."""
    merged = {key: value for key, value in options.items() if value is not None}
    for key, value in map(parse_setting, settings):
        if merged.setdefault(key, value) != value:
            raise RecipeError(f"The setting {key} is given twice: {merged[key]!r} and {value!r}. Give it once.")
    return merged


def _train_grid(dataset: Path, output: Path, grid: Grid, test: Path | None, restart: bool) -> None:
    from rich.console import Console

    from training.grid import run_grid
    from training.progress import Reporter

    run_grid(dataset, output, grid, test, Reporter(Console()), restart)


def _train(dataset: Path, output: Path, recipe: Recipe, test: Path | None, restart: bool) -> None:
    from rich.console import Console

    from training.pipeline import summary, train_run
    from training.progress import Reporter

    reporter = Reporter(Console())
    for line in summary(train_run(dataset, output, recipe, test, reporter, restart)):
        reporter.say(line)
    _report_run(output, reporter)
    reporter.say(f"Next: phototriage convert {click.format_filename(output)} --output model.onnx")


def _report_run(run: Path, reporter: "Reporter") -> None:
    """Write the run's report; the run is complete by now, whatever comes of it."""
    from training.report.adapters import report_of_run
    from training.report.write import write_report
    from training.run import load_run

    try:
        write_report(run, report_of_run(load_run(run)))
    except PhototriageError as error:
        reporter.say(f"{error} The run itself is complete.")
    else:
        reporter.say(f"What it learned, and what it takes for what: {click.format_filename(run / 'report.html')}")


def _report_evaluation(evaluation: "Evaluation", output: Path, reporter: "Reporter") -> None:
    """Write the same report of an evaluation, where what draws it is installed."""
    from training.report.about import about_model
    from training.report.adapters import report_of_evaluation
    from training.report.write import write_report

    try:
        write_report(output, report_of_evaluation(evaluation, about_model(evaluation.model)))
    except ModuleNotFoundError as error:
        reporter.say(f"report.html is left out: it needs {error.name}, of the extra 'train'.")
    else:
        reporter.say(f"The report is {click.format_filename(output / 'report.html')}.")


@click.command()
@click.argument("model", type=_FOLDER)
@click.argument("dataset", type=_FOLDER)
@click.option("--output", type=_FOLDER, help="Folder for report.html, metrics.json and predictions.csv; new, or empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object on standard output.")
def evaluate(model: Path, dataset: Path, output: Path | None, as_json: bool) -> None:
    """Measure a model on labelled photos.

    MODEL is a run folder, the model.keras in it, or an .onnx file (which needs no TensorFlow). DATASET holds one folder
    of photos per class; where it has a test folder, only that counts.

    \b
    Examples:
      phototriage evaluate runs/mine photos/test
      phototriage evaluate model.onnx photos/test --output report --json
    """
    from rich.console import Console

    from contract.silence import silenced
    from training.measure.evaluate import evaluate_model
    from training.measure.show import show
    from training.progress import Reporter

    reporter = Reporter(Console(stderr=as_json))
    with silenced():
        evaluation = evaluate_model(model, dataset, output, reporter)
    if as_json:
        click.echo(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        show(evaluation, reporter)
        if output is not None:
            reporter.say(f"Figures and predictions are in {click.format_filename(output)}.")
    if output is not None:
        _report_evaluation(evaluation, output, reporter)
