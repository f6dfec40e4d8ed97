"""Write a report into a folder."""

from pathlib import Path

from contract.publish import publish_bytes
from training.report.content import ReportInput
from training.report.page import page
from training.report.pictures import write_pictures

REPORT, PICTURES = "report.html", "figures"


def write_report(folder: Path, given: ReportInput) -> Path:
    """Write report.html and the main figures as PNG into `folder`/figures.

    Args:
        folder: made when it is not there; reports of before are replaced, each file whole.

    Returns:
        The path of report.html.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    publish_bytes(folder / REPORT, page(given).encode("utf-8"))
    write_pictures(folder / PICTURES, given)
    return folder / REPORT
