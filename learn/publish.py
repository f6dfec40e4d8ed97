"""Writes what was learnt: the new model, and the memory of its root beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from common.publish import publish_files
from common.text import printable
from contract.memory import memory_path
from learn.errors import LearnError

if TYPE_CHECKING:
    from learn.pipeline import LearnResult


def files_of(result: "LearnResult", output: Path) -> dict[Path, bytes]:
    """Return what to write: the memory of the root, then the new model, which names the memory.

    Raises:
        LearnError: the memory cannot be read.
    """
    assert result.data is not None
    if result.memory is None or memory_path(output) == result.memory:
        return {output: result.data}
    try:
        return {memory_path(output): result.memory.read_bytes(), output: result.data}
    except OSError as error:
        raise LearnError(f"{printable(result.memory)} cannot be read ({error.strerror}).") from error


def publish(files: Mapping[Path, bytes]) -> None:
    """Write files, the last one last.

    Raises:
        LearnError: one cannot be written.
    """
    try:
        publish_files(files)
    except OSError as error:
        raise LearnError(
            f"{' and '.join(map(printable, files))} cannot be written ({error.strerror}). Free space or choose another"
            " folder."
        ) from error
