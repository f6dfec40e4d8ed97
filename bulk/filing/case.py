"""Results that may be filed from an inbox into an output: checked before anything is written."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bulk.filing.errors import FilingError
from bulk.filing.inbox import InboxPaths
from bulk.filing.judged import Judged, JudgedBy, judged_by, part_names, rows_of
from bulk.results.store import ResultStore
from common.text import printable
from daemon.filing.layout import FilingOptions, check_layout
from daemon.photo import FAILED_FOLDER, REVIEW_FOLDER
from daemon.roots import check_folders


class Wanted(NamedTuple):
    """What the user asks for.

    Attributes:
        inbox: the folder that holds the photos of the results.
        output: root of the class folders.
        template: of the layout, as the user gave it.
        options: mode and layout.
    """

    inbox: Path
    output: Path
    template: str
    options: FilingOptions


class Case(NamedTuple):
    """Checked results and folders: what filing and a dry run begin with.

    Attributes:
        store: the results.
        by: what made them.
        wanted: what the user asks for.
        inbox: without links.
        output: without links.
        paths: of the inbox.
    """

    store: ResultStore
    by: JudgedBy
    wanted: Wanted
    inbox: Path
    output: Path
    paths: InboxPaths

    def rows(self) -> Iterator[Judged]:
        """Yield all rows that are there, part by part."""
        for name in part_names(self.store):
            yield from rows_of(self.store, name, self.by)


def checked(store: ResultStore, wanted: Wanted, roots: tuple[Path, Path]) -> Case:
    """Check results and folders; nothing is written.

    Args:
        store: the results.
        wanted: what the user asks for.
        roots: inbox and output, without links.

    Raises:
        PhototriageError: these results cannot be filed there, or nothing in the first part lies in the inbox.
    """
    by, (inbox, output) = judged_by(store), roots
    check_folders(inbox, output, (*by.labels, FAILED_FOLDER, REVIEW_FOLDER))
    check_layout(wanted.options.layout, inbox, output)
    paths = InboxPaths(wanted.inbox, inbox, output)
    names = part_names(store)
    if not names:
        raise FilingError(f"{store} holds no part yet. Judge the photos first: phototriage bulk run PLAN")
    first = list(rows_of(store, names[0], by))
    if first and not any(paths.find(row.path) for row in first):
        raise FilingError(outside(len(first), first[0].path, inbox))
    return Case(store, by, wanted, inbox, output, paths)


def outside(count: int, first: str, inbox: Path) -> str:
    """Return the sentence about photos that do not lie in the inbox."""
    photos = f"{count:,} photo{'s' * (count != 1)}"
    instead = "Objects in storage can only be copied, with --copy-to" if "://" in first else "Name the --inbox of those"
    return f"{photos} of the results do not lie in the inbox {printable(inbox)}, such as {printable(first)}. {instead}."
