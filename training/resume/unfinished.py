"""A run folder that training may write into: an empty one, or one of an unfinished run of the same recipe and photos.

An unfinished run is a folder with a checkpoint and without a manifest. The checkpoint is the first file that a training
writes, so that a folder which holds others' files is never taken for one.
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
from training.resume.checkpoint import Header, read_header
from training.resume.same_training import differing_photos, differing_settings, settings_of
from training.run import CHECKPOINT, HISTORY, MANIFEST, MODEL, PREDICTIONS, RECIPE

_FILES = (MODEL, HISTORY, PREDICTIONS, RECIPE, CHECKPOINT)  # the checkpoint last: without it the rest is anyone's
_PARTS = tuple(part_of(Path(name)).name for name in (MODEL, CHECKPOINT))


def find_unfinished(output: Path, dataset: Path, recipe: Recipe, restart: bool) -> Header | None:
    """The checkpoint to go on from; None where training begins at the beginning.

    Args:
        restart: begin anew also where there is a checkpoint.

    Raises:
        TrainingError: `output` holds a finished run, one of another recipe, or something else.
    """
    if (output / MANIFEST).is_file():
        raise TrainingError(f"The output {output} holds a finished run, which is kept. Choose another folder.")
    if not (output / CHECKPOINT).is_file():
        check_output(output, dataset, _PARTS)
        return None
    check_output(output, dataset, [entry.name for entry in output.iterdir()])
    header = None if restart else read_header(output)
    differs = differing_settings(header.recipe, settings_of(recipe)) if header else ""
    if differs:
        raise TrainingError(
            f"{output} holds an unfinished run of another recipe ({differs}). Go on with it by the same settings"
            f" (--recipe {output / RECIPE}), or begin anew: choose another --output, or pass --restart."
        )
    return header


def check_photos(output: Path, header: Header, photos: Mapping[str, Any]) -> None:
    """Raise TrainingError if the unfinished run was begun on other photos, naming what differs."""
    differs = differing_photos(header.data, photos)
    if differs:
        raise TrainingError(
            f"{output} holds an unfinished run on other photos ({differs}). Go on with it by the same photos, or"
            " begin anew: choose another --output, or pass --restart."
        )


def clear(output: Path, anew: bool) -> None:
    """Remove half-written files, and with `anew` all that an unfinished run left; nobody else's files."""
    names = (*_PARTS, *_FILES) if anew and (output / CHECKPOINT).is_file() else _PARTS
    for name in names:
        (output / name).unlink(missing_ok=True)


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Make the folder, and keep other trainings out of it. The kernel ends the claim with the process.

    Raises:
        TrainingError: another training writes into it.
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
            with suppress(OSError):  # it holds a run; or it is left empty, and nobody missed it before
                output.rmdir()


def _lock(folder: int, output: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrainingError(f"Another training writes into {output}. Wait for it, or choose another folder.") from error
    except OSError:
        pass  # a file system that locks no folders, such as NFS: a claim is a courtesy there
