"""Where results go: refuse at once what could not be written an hour later."""

import os
from pathlib import Path

from training.errors import TrainingError


def check_output(output: Path, dataset: Path) -> None:
    """Raise TrainingError unless `output` is a folder that can be made, or an empty one, outside the dataset."""
    if output.exists() and not output.is_dir():
        raise TrainingError(f"The output {output} is a file. Pass a folder that is not there yet.")
    if output.is_dir() and any(output.iterdir()):
        raise TrainingError(f"The output {output} is not empty. Pass a folder that is not there yet, or is empty.")
    if output.resolve().is_relative_to(dataset.resolve()):
        raise TrainingError(
            f"The output {output} is inside the dataset, where it would look like a class. Choose another folder."
        )
    parent = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise TrainingError(f"The output {output} cannot be made: {parent} is not writable by this user.")
