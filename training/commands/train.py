"""`phototriage train`: options and terminal output.

Heavy modules are imported only when a command runs, so that `--help` is fast.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from common.errors import PhototriageError
from common.packages import require_runtime, require_training
from training.errors import RecipeError
from training.recipe.idle import without_effect
from training.recipe.learning import FineTune
from training.recipe.recipe import Backbone, Recipe, Weights
from training.recipe.recipe_file import Grid, load_recipe_or_grid, shipped_recipes
from training.recipe.settings import parse_setting

if TYPE_CHECKING:
    from training.progress import Reporter

_FOLDER = click.Path(path_type=Path)
_SETTINGS = {
    "backbone": "backbone",
    "size_px": "input.size_px",
    "geometry": "input.geometry",
    "epochs": "fine_tune.epochs",
    "batch_size": "fine_tune.batch_size",
    "learning_rate": "fine_tune.learning_rate",
    "unfreeze": "fine_tune.unfreeze",
    "batch_norm": "fine_tune.batch_norm",
    "weights": "weights",
    "seed": "seed",
}
"""The setting of a recipe that each option names."""


class _Layers(click.ParamType[int | str]):
    """`all`, a number of layers, or a number of blocks."""

    name = "N|N blocks|all"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Convert the text of the option to a value of the recipe."""
        text = str(value)
        if text == "all" or FineTune(unfreeze=text).blocks:
            return text
        try:
            return int(text)
        except ValueError:
            self.fail(
                f"{value!r} is not valid. Pass a number of layers, a number of blocks such as '3 blocks', or 'all'",
                param,
                ctx,
            )


@click.command()
@click.argument("dataset", type=_FOLDER, required=False)
@click.option(
    "--output", required=True, type=_FOLDER, help="Folder for the run: new, empty, or with an unfinished run."
)
@click.option("--restart", is_flag=True, help="Start an unfinished run from the beginning instead of resuming it.")
@click.option(
    "--recipe",
    metavar="FILE|NAME",
    help=f"TOML file of settings, or a shipped recipe: {', '.join(shipped_recipes())}. Options override it.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting of a recipe, such as network.hidden=[512].",
)
@click.option("--test", type=_FOLDER, help="Labelled photos to measure at the end; they do not influence the training.")
@click.option(
    "--labels", type=_FOLDER, help="Labels of `labels export`: photos that people labelled join those of DATASET."
)
@click.option(
    "--from-inbox",
    is_flag=False,
    flag_value="",
    metavar="[NAME|DIR]",
    help="The labels of a service or of an inbox, or of the only one, exported now, instead of --labels.",
)
@click.option(
    "--unlabelled", type=_FOLDER, help="Photos without labels, for --recipe pseudo-labels: a teacher answers them."
)
@click.option("--groups", type=_FOLDER, help="CSV file (path,group): photos of one group stay on one side of a split.")
@click.option("--backbone", type=click.Choice(get_args(Backbone)), help="The pretrained network.")
@click.option("--size-px", type=int, help="Side of the network's square input.")
@click.option(
    "--geometry",
    type=click.Choice(["stretch", "letterbox"]),
    help="How a photo becomes a square: distort it, or pad it.",
)
@click.option("--epochs", type=int, help="Epochs of fine-tuning; 0 trains only the head, in seconds.")
@click.option("--batch-size", type=int, help="Photos per step of fine-tuning.")
@click.option("--learning-rate", type=float, help="Highest learning rate of fine-tuning.")
@click.option("--unfreeze", type=_Layers(), help="How many layers or blocks from the end to fine-tune.")
@click.option(
    "--batch-norm",
    type=click.Choice(["train", "frozen"]),
    help="Learn the statistics of these photos, or keep those of the initial weights.",
)
@click.option("--weights", type=click.Choice(get_args(Weights)), help="Weights to start from.")
@click.option("--seed", type=int, help="Seed of the split, the order and the augmentation.")
@click.option("--cell", is_flag=True, hidden=True, help="A grid trains this cell: leave out what the grid itself says.")
def train(
    dataset: Path | None,
    output: Path,
    restart: bool,
    recipe: str | None,
    settings: tuple[str, ...],
    test: Path | None,
    labels: Path | None,
    from_inbox: str | None,
    unlabelled: Path | None,
    groups: Path | None,
    cell: bool,
    **options: Any,
) -> None:
    """Fine-tune a classifier on folders of labelled photos.

    DATASET holds one folder of photos per class, or such folders in train, val and test (also seg_train/seg_train).
    Photos are decoded once into a cache, which later runs reuse. Training starts with a linear head on cached features,
    then fine-tunes the network and keeps the best epoch on validation photos. `phototriage convert` converts the run
    folder. Ctrl-C stops early and keeps the best epoch so far. After a kill, the same command resumes after the last
    complete epoch.

    With --labels or --from-inbox the photos that people labelled take part, too, each where it lies: so the whole
    network learns from corrections, where `learn` fits its last layer alone. DATASET may be left out then: the model
    knows the labelled classes alone.

    \b
    Examples:
      phototriage train photos --output runs/mine
      phototriage train photos --output runs/quick --epochs 0
      phototriage train photos/train --test photos/test --output runs/mine --size-px 128
      phototriage train photos --recipe two-phase --output runs/two-phase --set head.epochs=5
      phototriage train photos --from-inbox ~/inbox --output runs/corrected
      phototriage train few --recipe pseudo-labels --unlabelled camera --output runs/few
    """
    if labels is not None and from_inbox is not None:
        raise click.UsageError("--labels and --from-inbox cannot be combined.")
    if dataset is None and labels is None and from_inbox is None:
        raise click.UsageError("Missing argument 'DATASET'. Pass a folder of class folders, or labels (--from-inbox).")
    given = _merged({_SETTINGS[name]: value for name, value in options.items()}, settings)
    chosen = (load_recipe_or_grid(recipe, click.echo) if recipe else Recipe()).with_options(given)
    for sentence in _without_effect(chosen, given):
        click.echo(sentence)
    require_training("`train`")
    require_runtime("`train`")  # for the report, which is written after hours
    from training.commands.inbox_labels import labels_of_inbox

    places = {"dataset": dataset, "output": output, "test": test, "groups": groups, "restart": restart}
    places["unlabelled"] = unlabelled
    with labels_of_inbox(from_inbox, output, restart) if from_inbox is not None else nullcontext(labels) as file:
        if isinstance(chosen, Grid) and chosen.axes:
            _train_grid(chosen, {**places, "labels": file})
        else:  # of a grid, options have selected a single cell
            _train(chosen if isinstance(chosen, Recipe) else chosen.recipe, {**places, "labels": file}, cell)


def _merged(options: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """Merge the options and the settings of --set, and refuse two different values of a setting."""
    merged = {key: value for key, value in options.items() if value is not None}
    for key, value in map(parse_setting, settings):
        if merged.setdefault(key, value) != value:
            raise RecipeError(f"The setting {key} is given twice: {merged[key]!r} and {value!r}. Give it once.")
    return merged


def _without_effect(chosen: Recipe | Grid, given: dict[str, Any]) -> Iterator[str]:
    if isinstance(chosen, Recipe):
        return without_effect([chosen], given)
    return without_effect([chosen.recipe.with_options(cell) for cell in chosen.cells()], {*given, *chosen.axes})


def _train_grid(grid: Grid, places: dict[str, Any]) -> None:
    from rich.console import Console

    from training.grid import run_grid
    from training.progress import Reporter

    run_grid(grid=grid, reporter=Reporter(Console()), **places)


def _train(recipe: Recipe, places: dict[str, Any], cell: bool) -> None:
    from rich.console import Console

    from training.pipeline import summary, train_run
    from training.progress import Reporter

    reporter, output = Reporter(Console()), places["output"]
    for line in summary(train_run(recipe=recipe, reporter=reporter, told=cell, **places)):
        reporter.say(line)
    _report_run(output, reporter)
    if not cell:
        reporter.say(f"Next: phototriage convert {click.format_filename(output)} --output model.onnx")


def _report_run(run: Path, reporter: "Reporter") -> None:
    """Write the report of the run. The run is complete even if the report fails."""
    from training.report.adapters import report_of_run
    from training.report.write import write_report
    from training.run import load_run

    try:
        write_report(run, report_of_run(load_run(run)))
    except PhototriageError as error:
        reporter.say(f"{error} The run itself is complete.")
    else:
        reporter.say(f"The report of the run is {click.format_filename(run / 'report.html')}")
