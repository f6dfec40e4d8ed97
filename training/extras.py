"""What a run folder holds beside the model: photos sorted by what they were taken for, and pictures of the figures."""

from pathlib import Path

from contract.text import printable
from training.dataset.prepare import Prepared
from training.measure.results import Measured
from training.measure.sorted_photos import discard, sort_test
from training.progress import Reporter
from training.recipe.recipe import Recipe


def write_extras(output: Path, prepared: Prepared, measured: Measured, recipe: Recipe, reporter: Reporter) -> None:
    """Tell and write what the recipe asks for beside the usual: training photos, sorted test photos, picture grid.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    labels = prepared.dataset.labels
    if measured.train is not None:
        reporter.say(measured.train.sentence("training photos"))
    discard(output)
    if recipe.results.sort_test:
        reporter.say(sort_test(output, measured.predictions, labels, reporter).sentence())
    if recipe.results.picture_grid:
        from training.report.picture_grid import write_picture_grid

        file = write_picture_grid(output, measured.predictions, labels)
        reporter.say(f"Photos with what they were taken for: {printable(file)}")
