"""Optional results of a run: test photos sorted by predicted class, and a picture of example predictions."""

from pathlib import Path

from common.text import printable
from training.dataset.prepare import PreparedData
from training.measure.results import RunMeasurement
from training.measure.sorted_photos import discard_sorted, sort_test_photos
from training.progress import Reporter
from training.recipe.recipe import Recipe


def write_extras(
    output: Path, prepared: PreparedData, measured: RunMeasurement, recipe: Recipe, reporter: Reporter
) -> None:
    """Write the optional results that the recipe requests: training metrics, sorted test photos, picture grid.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    labels = prepared.dataset.labels
    if measured.train is not None:
        reporter.say(measured.train.sentence("training photos"))
    discard_sorted(output)
    if recipe.results.sort_test:
        reporter.say(sort_test_photos(output, measured.predictions, labels, reporter).sentence())
    if recipe.results.picture_grid:
        from training.report.picture_grid import write_picture_grid

        file = write_picture_grid(output, measured.predictions, labels)
        reporter.say(f"The picture of example predictions is {printable(file)}")
