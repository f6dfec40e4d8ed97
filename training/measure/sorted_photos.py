"""The test photos in folders by what they were taken for: to look through a class in any picture viewer."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from contract.text import printable
from training.measure.predictions import Predictions
from training.progress import Reporter
from training.second_name import free_names, place

SORTED = "test_by_prediction"
_PART = f".{SORTED}.part"


@dataclass(frozen=True)
class SortedTest:
    """What came of it. placed: photos that stand there now. gone: those that could not be read any more."""

    folder: Path
    placed: int
    gone: int

    def sentence(self) -> str:
        """All of it in one line."""
        if not self.placed and not self.gone:
            return "There are no test photos to sort by what they were taken for."
        gone = f" {self.gone} could not be read any more." if self.gone else ""
        return (
            f"{self.placed} test photos stand in {printable(self.folder)}, in a folder per class that they were taken"
            f" for; the originals are where they were.{gone}"
        )


def sort_test(output: Path, predictions: Predictions, labels: tuple[str, ...], reporter: Reporter) -> SortedTest:
    """Make `output`/test_by_prediction/<predicted class>/ of the test photos, by hard links, or copies across disks.

    No photo is moved, and no name overwritten: of two photos of one name, the second one gets a number. The folder
    appears whole; one that a killed training left behind is made anew.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    discard(output)
    taken = predictions.probabilities.argmax(axis=1)
    test = [number for number, photo in enumerate(predictions.photos) if photo.split == "test"]
    placed = 0
    with reporter.work("Sorting test photos", len(test)) as tick:
        for number in test:
            placed += _placed(predictions.photos[number].path, output / _PART / labels[int(taken[number])])
            tick(1)
    if placed:
        (output / _PART).rename(output / SORTED)
    else:
        discard(output)
    return SortedTest(output / SORTED, placed, len(test) - placed)


def _placed(photo: Path, folder: Path) -> bool:
    """Whether the photo stands in the folder now; one that went since it was measured does not."""
    folder.mkdir(parents=True, exist_ok=True)
    for target in free_names(folder / photo.name):
        try:
            place(photo.resolve(strict=True), target)  # a link into the dataset would point to nowhere from here
        except FileExistsError:
            continue
        except (FileNotFoundError, PermissionError):
            return False
        return True
    raise AssertionError("names do not end")


def discard(output: Path) -> None:
    """Remove what an earlier, unfinished training sorted; the photos themselves stand in the dataset."""
    for name in (_PART, SORTED):
        if (output / name).exists():
            shutil.rmtree(output / name)
