"""Files what results say, as `sort` files photos: the same locks, intents, moves and outcomes, all in one batch.

This process is the daemon of the inbox while it runs. So a kill leaves nothing that the next start of any of them does
not finish, and the same command goes on: the ledger knows what is filed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from bulk.filing.batches import BatchFiler
from bulk.filing.case import Case, Wanted, checked
from bulk.filing.errors import FilingError
from bulk.filing.photos import Known, PhotoReader
from bulk.results.store import ResultStore
from daemon.adopt import check_mounts
from daemon.commands.labels.first_look import look_first
from daemon.decode.guard import Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.files.identity import is_on_share
from daemon.filing.unresolved import UnresolvedMoves
from daemon.intake.inbox_mounts import survey
from daemon.intake.walk import scan
from daemon.labels.features.words import read_words
from daemon.labels.store.description import Description, describe
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.ledger import Ledger
from daemon.ledger.queries import were_filed
from daemon.ledger.reader import ask_ledger
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.process.clock import Clock
from daemon.process.cores import readers
from daemon.process.signals import signals
from daemon.roots import check_roots, roots_on_paper, take_roots
from daemon.startup_recovery import recover
from daemon.status.report import Report
from daemon.words.words import Words


def file_results(store: ResultStore, wanted: Wanted, report: Report) -> bool:
    """File what results say; returns whether nothing stays that was judged to be filed.

    Args:
        store: the results.
        wanted: the folders, and how.
        report: what the user sees.

    Raises:
        PhototriageError: nothing can be filed, or filing was interrupted; the text says why and what to do.
    """
    case, clock = checked(store, wanted, roots_on_paper(wanted.inbox, wanted.output)), Clock()
    with ExitStack() as stack:
        stopped = stack.enter_context(signals())
        ledger = stack.enter_context(closing(Ledger(state_folder(case.inbox) / LEDGER)))
        stack.enter_context(_errors_explained())
        check_mounts(ledger, case.inbox, case.output)
        check_roots(case.inbox, case.output)  # only now: it makes the output, which must not be on a bare mount point
        take_roots(stack, ledger, (case.inbox, case.output), wanted.options.mode, clock.wall_s(), report.say)
        unresolved = UnresolvedMoves(clock, partial(scan, case.paths.filter))
        recover(ledger, ledger.path.parent, clock.wall_s(), unresolved, report.say)
        _describe(ledger, case)
        look_first(ledger.path, clock.wall_s())  # people may have moved photos since the daemon looked last
        guard = stack.enter_context(closing(Guard(_journal(stack, ledger.path.parent))))
        words = words_of(ledger.path)
        reader = reader_of(case, Known(ledger.known, partial(were_filed_by, ledger.path)), words, guard)
        filer = BatchFiler(stack, ledger, case, unresolved, report, stopped.event)

        def stop() -> None:
            guard.stop()
            filer.stop()

        stopped.on_stop(stop)
        filer.file_all(reader)
    return filer.is_done


def reader_of(case: Case, known: Known, words: Words, guard: Guard) -> PhotoReader:
    """Return what makes photos of the rows of a case."""
    mounts = survey(case.inbox, case.output, recursive=True, events_unreliable=False)
    return PhotoReader(
        case.paths, case.inbox, mounts, known, words, guard,
        geometry=case.by.geometry, dated=case.wanted.options.layout.needs_date,
        threads=readers(inbox_on_share=is_on_share(case.inbox)),
    )  # fmt: skip


def words_of(ledger: Path) -> Words:
    """Return what people said of photos in this output."""
    return read_words([ledger, *other_ledgers(ledger)])


def were_filed_by(ledger: Path, photos: list[tuple[Path, str]]) -> list[bool]:
    """Tell of each photo, by path and content, whether it was filed from there."""
    return ask_ledger(ledger, lambda connection: were_filed(connection, photos))


def _journal(stack: ExitStack, state: Path) -> CrashJournal:
    return stack.enter_context(closing(CrashJournal(state / JOURNAL)))


def _describe(ledger: Ledger, case: Case) -> None:
    """Record layout and classes as a daemon does, so that looks know the class folders."""
    if case.by.labels:
        with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
            describe(connection, Description(case.wanted.template, case.by.labels, case.by.rules))


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise FilingError(
            f"Filing stopped because of {error!r}. No photo is lost: photos that were not filed are in the inbox. Mend "
            "it, and give the same command again."
        ) from error
