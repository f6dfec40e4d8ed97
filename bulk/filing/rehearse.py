"""What filing results would do: nothing is touched, no photo, no folder, no marker, no ledger."""

import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from bulk.filing.ahead import one_ahead
from bulk.filing.case import Wanted, checked, outside
from bulk.filing.companions import FolderCompanions
from bulk.filing.file import reader_of, were_filed_by, words_of
from bulk.filing.photos import Known
from bulk.results.store import ResultStore
from daemon.files.identity import look_at
from daemon.filing.rehearsal import Rehearsal, copied_ledger
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.photo import Outcome, Photo
from daemon.predict import trial_guard
from daemon.roots import roots_on_paper
from daemon.status.report import Report
from daemon.words.words import EMPTY


def rehearse_filing(store: ResultStore, wanted: Wanted, report: Report) -> bool:
    """Say of each photo of the results where it would go; returns whether nothing would stay.

    Raises:
        PhototriageError: nothing could be filed, and why.
    """
    case = checked(store, wanted, roots_on_paper(wanted.inbox, wanted.output))
    state = state_folder(case.inbox)
    file, there = state / LEDGER, (state / LEDGER).is_file()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phototriage-")))
        copy = stack.enter_context(closing(copied_ledger(state, folder, wanted.options)))
        guard = stack.enter_context(trial_guard(state))
        known = Known(copy.known, partial(were_filed_by, file if there else copy.path))
        reader = reader_of(case, known, words_of(file) if there else EMPTY, guard)
        rehearsal, gone = Rehearsal(case.output, copy, wanted.options), 0
        companions = FolderCompanions(case.paths.takes)
        for batch in one_ahead(reader.batches(case.rows())):
            beside = companions.of(photo.path for photo in batch.photos if photo.judgement.folder)
            found = [(path, look_at(path)) for path in beside]
            parts = [Photo(reader.found(path, its, is_companion=True)) for path, its in found if its is not None]
            rehearsal.plan([*parts, *batch.photos])
            gone += sum(photo.filing.outcome is Outcome.GONE for photo in batch.photos)
            report.photos(batch.photos)
    skipped = reader.skipped
    if skipped.outside:
        report.say(outside(skipped.outside, skipped.first, case.inbox))
    report.count_lonely()
    before = f"; {skipped.before:,} were filed or taken back before" if skipped.before else ""
    report.event(
        "summary", f"dry run, nothing was touched: {report.counted()}{before}",
        dry_run=True, **report.sums(), before=skipped.before, outside=skipped.outside,
    )  # fmt: skip
    return not (gone or skipped.outside or report.waiting)
