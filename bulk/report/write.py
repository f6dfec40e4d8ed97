"""Writes report.html for results."""

from pathlib import Path

from bulk.errors import BulkError
from bulk.report.page import page
from bulk.report.tally import Tally
from bulk.results.store import ResultStore
from common.publish import publish_bytes
from common.text import printable

PAGE = "report.html"


def write_report(results: str, folder: Path) -> Tally:
    """Read all parts and write the page; returns the sums.

    Args:
        results: a folder or URL.
        folder: for the page; it is made if missing.

    Raises:
        BulkError: there are no results, they are damaged, or the folder cannot be written.
    """
    store, tally = ResultStore(results), Tally()
    about, parts = store.about(), sorted(store.done())
    if about is None or not parts:
        raise BulkError(f"{store} holds no results. Make some: phototriage bulk run PLAN --output {store}")
    for name in parts:
        tally.add(store.read(name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        publish_bytes(folder / PAGE, page(tally, about, str(store)).encode("utf-8"))
    except OSError as error:
        raise BulkError(
            f"The report in {printable(folder)} cannot be written ({error.strerror}). Name a folder that you may write"
            " to, on a disk with space."
        ) from error
    return tally
