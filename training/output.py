"""Where results go: refuse at once what could not be written an hour later, and show a file only when it is whole."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.publish import sync_directory
from training.errors import TrainingError


def check_output(output: Path, dataset: Path, own: Collection[str] = ()) -> None:
    """Raise TrainingError unless `output` is a folder that can be made, or an empty one, outside the dataset.

    Args:
        own: names of files that may be in it.
    """
    if output.exists() and not output.is_dir():
        raise TrainingError(f"The output {output} is a file. Pass a folder that is not there yet.")
    if output.is_dir() and any(entry.name not in own for entry in output.iterdir()):
        raise TrainingError(f"The output {output} is not empty. Pass a folder that is not there yet, or is empty.")
    if output.resolve().is_relative_to(dataset.resolve()):
        raise TrainingError(
            f"The output {output} is inside the dataset, where it would look like a class. Choose another folder."
        )
    parent = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TrainingError(f"The output {output} cannot be made: {parent} is not writable by this user.")


def part_of(path: Path) -> Path:
    """Where `publishing` has a file written: a fixed name, so that what a kill leaves is written over."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give a name to write a large file to, and put the file at `path` by one rename once it is whole.

    Raises:
        OSError: the disk is full, or the folder cannot be written; whatever stood at `path` is unchanged.
    """
    part = part_of(path)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
