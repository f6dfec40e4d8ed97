"""The output folder: check it before training starts, and publish large files only when they are complete."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.publish import sync_directory
from training.errors import TrainingError


def check_output(output: Path, dataset: Path | None, own: Collection[str] = ()) -> None:
    """Raise TrainingError unless `output` is empty or can be created, outside the dataset.

    Args:
        dataset: its folder; None for photos that people labelled, wherever they lie.
        own: names of files that the folder may hold.
    """
    if output.exists() and not output.is_dir():
        raise TrainingError(f"The output {output} is a file. Pass a folder that does not exist yet.")
    if output.is_dir() and any(entry.name not in own for entry in output.iterdir()):
        raise TrainingError(f"The output {output} is not empty. Pass a new or empty folder.")
    if dataset is not None and output.resolve().is_relative_to(dataset.resolve()):
        raise TrainingError(
            f"The output {output} is inside the dataset, where it would look like a class. Pass another folder."
        )
    parent = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TrainingError(
            f"The output {output} cannot be created: this user cannot write to {parent}. Pass another folder."
        )


def part_of(path: Path) -> Path:
    """The temporary file of `publishing`. Its name is fixed, so that the next run overwrites what a kill left."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write to, and rename it to `path` when it is complete.

    Raises:
        OSError: the disk is full, or the folder cannot be written. The file at `path` is unchanged.
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
