"""Sort the test photos into folders by predicted class, to browse a class in any picture viewer."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from common.text import printable
from training.measure.predictions import Predictions
from training.progress import Reporter
from training.second_name import free_names, link_or_copy

SORTED = "test_by_prediction"
_PART = f".{SORTED}.part"


@dataclass(frozen=True)
class SortResult:
    """Result of sorting.

    Attributes:
        placed: number of sorted photos.
        gone: number of photos that could not be read any more.
    """

    folder: Path
    placed: int
    gone: int

    def sentence(self) -> str:
        """The result in one line."""
        if not self.placed and not self.gone:
            return "There are no test photos to sort by predicted class."
        gone = f" {self.gone} could not be read any more." if self.gone else ""
        return (
            f"{self.placed} test photos are linked in {printable(self.folder)}, one folder per predicted class. The"
            f" originals are unchanged.{gone}"
        )


def sort_test_photos(output: Path, predictions: Predictions, labels: tuple[str, ...], reporter: Reporter) -> SortResult:
    """Sort the test photos into `output`/test_by_prediction/<predicted class>/ by hard links, or copies across disks.

    No photo is moved, and no file overwritten: the second of two photos with one name gets a number. The folder appears
    when it is complete. A folder left by a killed training is replaced.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    discard_sorted(output)
    taken = predictions.probabilities.argmax(axis=1)
    test = [number for number, photo in enumerate(predictions.photos) if photo.split == "test"]
    placed = 0
    with reporter.work("Sorting test photos", len(test)) as tick:
        for number in test:
            placed += _add_photo(predictions.photos[number].path, output / _PART / labels[int(taken[number])])
            tick(1)
    if placed:
        (output / _PART).rename(output / SORTED)
    else:
        discard_sorted(output)
    return SortResult(output / SORTED, placed, len(test) - placed)


def _add_photo(photo: Path, folder: Path) -> bool:
    """Add a photo to a folder; returns False if it was removed since it was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in free_names(folder / photo.name):
        try:
            link_or_copy(photo.resolve(strict=True), target)  # resolved, because a relative link would be broken here
        except FileExistsError:
            continue
        except (FileNotFoundError, PermissionError):
            return False
        return True
    raise AssertionError("names do not end")


def discard_sorted(output: Path) -> None:
    """Remove the sorted photos of an earlier, unfinished training; the originals stay in the dataset."""
    for name in (_PART, SORTED):
        if (output / name).exists():
            shutil.rmtree(output / name)
