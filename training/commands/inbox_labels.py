"""The labels of an inbox or a service, for a training: exported by the command that anybody can call."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from common.command import call_command
from training.grid.folder import GRID
from training.run import CHECKPOINT


@contextmanager
def labels_of_inbox(inbox: str, output: Path, restart: bool) -> Iterator[Path]:
    """Export labels to a file beside the output, which goes when the training is complete.

    A killed training resumes with the labels that it began with, although people may have said more since. The file of
    a grid stays, because a cell that is trained again needs the labels of the others.

    Args:
        inbox: its folder, or the name of a service; empty if there is only one.
        output: folder of the run or of the grid.
        restart: take the present labels in any case.

    Raises:
        PhototriageError: they cannot be exported; the text is that of `labels export`.
    """
    file = output.with_name(f"{output.name}.inbox-labels.jsonl")
    if not restart and file.is_file() and _is_begun(output):
        click.echo(f"The labels are those that this training began with: {click.format_filename(file)}.")
    else:
        with suppress(OSError):  # the export says why it cannot write there
            file.parent.mkdir(parents=True, exist_ok=True)
        which = ["--inbox" if os.sep in inbox or Path(inbox).is_dir() else "--for", inbox] if inbox else []
        call_command(["labels", "export", str(file), "--force", *which])
    try:
        yield file
    finally:
        if not _is_begun(output):
            file.unlink(missing_ok=True)


def _is_begun(output: Path) -> bool:
    return (output / CHECKPOINT).is_file() or (output / GRID).is_file()
