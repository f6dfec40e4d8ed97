"""Write a report into a folder."""

from pathlib import Path

from common.publish import publish_bytes
from common.text import printable
from training.errors import TrainingError
from training.html.chart import FIGURES, write_charts
from training.report.content import ReportInput
from training.report.figures import charts
from training.report.page import page

REPORT = "report.html"


def write_report(folder: Path, given: ReportInput) -> Path:
    """Write report.html and its charts as SVG into `folder`/figures.

    Args:
        folder: created if missing; the files of an earlier report are replaced atomically.

    Returns:
        The path of report.html.

    Raises:
        TrainingError: the folder cannot be written.
    """
    text = page(given).encode("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish_bytes(folder / REPORT, text)
        write_charts(folder / FIGURES, charts(given))
    except OSError as error:
        raise TrainingError(unwritable(folder, error)) from error
    return folder / REPORT


def unwritable(folder: Path, error: OSError) -> str:
    """The message for a folder that cannot be written."""
    return (
        f"The page cannot be written into {printable(folder)} ({error.strerror}). Free space, or pass another folder."
    )
