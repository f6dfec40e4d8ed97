"""Check whether a training may write into a run folder: empty, or an unfinished run of the same recipe and photos.

An unfinished run is a folder with a checkpoint and without a manifest. Training writes the checkpoint first, so a
folder of other files is never mistaken for an unfinished run.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.output import check_output, part_of
from training.recipe.recipe import Recipe
from training.resume.checkpoint import CheckpointHeader, read_header
from training.resume.same_training import differing_photos, differing_settings, flat_settings
from training.run import CHECKPOINT, FAMILIARITY, HISTORY, MANIFEST, MEMORY, MODEL, PREDICTIONS, RECIPE

_FILES = (
    MODEL,
    HISTORY,
    PREDICTIONS,
    FAMILIARITY,
    MEMORY,
    RECIPE,
    CHECKPOINT,
)  # the checkpoint last, because it shows that the other files belong to a run
_PARTS = tuple(part_of(Path(name)).name for name in (MODEL, CHECKPOINT))


def find_unfinished(output: Path, dataset: Path | None, recipe: Recipe, restart: bool) -> CheckpointHeader | None:
    """The checkpoint to resume from; None if training starts from the beginning.

    Args:
        restart: start from the beginning even if there is a checkpoint.

    Raises:
        TrainingError: `output` holds a finished run, one of another recipe, or something else.
    """
    if (output / MANIFEST).is_file():
        raise TrainingError(
            f"The output {output} holds a finished run, which is never overwritten. Pass another folder."
        )
    if not (output / CHECKPOINT).is_file():
        check_output(output, dataset, _PARTS)
        return None
    check_output(output, dataset, [entry.name for entry in output.iterdir()])
    header = None if restart else read_header(output)
    differs = differing_settings(header.recipe, flat_settings(recipe)) if header else ""
    if differs:
        raise TrainingError(
            f"{output} holds an unfinished run of another recipe ({differs}). To resume it, pass the same settings"
            f" (--recipe {output / RECIPE}). To start over, pass another --output or --restart."
        )
    return header


def check_photos(output: Path, header: CheckpointHeader, photos: Mapping[str, Any]) -> None:
    """Raise TrainingError if the unfinished run has other photos; the message names the differences."""
    differs = differing_photos(header.data, photos)
    if differs:
        raise TrainingError(
            f"{output} holds an unfinished run on other photos ({differs}). To resume it, pass the same photos."
            " To start over, pass another --output or --restart."
        )


def remove_leftovers(output: Path, everything: bool) -> None:
    """Remove temporary files, and with `everything` all files of an unfinished run, but no other files."""
    names = (*_PARTS, *_FILES) if everything and (output / CHECKPOINT).is_file() else _PARTS
    for name in names:
        (output / name).unlink(missing_ok=True)


@contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Create the folder and lock it against other trainings. The kernel releases the lock with the process.

    Raises:
        TrainingError: another training holds the lock.
    """
    made = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    folder = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(folder, output)
        yield
    finally:
        os.close(folder)
        if made:
            with suppress(OSError):  # not empty: it holds a run
                output.rmdir()


def _lock(folder: int, output: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrainingError(f"Another training writes into {output}. Wait for it, or pass another folder.") from error
    except OSError:
        pass  # a file system that cannot lock folders, such as NFS: training runs without the lock
