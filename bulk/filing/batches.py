"""Files batch after batch until all rows are filed, a signal comes, or an obstacle stops all photos."""

import shlex
import threading
from contextlib import ExitStack, closing
from pathlib import Path

from bulk.filing.ahead import one_ahead
from bulk.filing.case import Case, outside
from bulk.filing.companions import FolderCompanions
from bulk.filing.photos import Batch, PhotoReader, Skipped
from common.text import printable
from daemon.decode.isolated import StoppedError
from daemon.files.identity import look_at
from daemon.filing.departures import Departures
from daemon.filing.filer import Filer, begin_filing
from daemon.filing.unresolved import UnresolvedMoves
from daemon.ledger.embedding_writer import EmbeddingWriter
from daemon.ledger.ledger import Ledger
from daemon.photo import Outcome, Photo
from daemon.process.clock import Clock
from daemon.status.report import Report


class BatchFiler:
    """One call: all that it files has one number.

    Args:
        stack: closes what it opens.
        ledger: of the inbox; its locks are held.
        case: the results and the folders.
        unresolved: intents that the last run left open.
        report: what the user sees.
        stopping: set by a signal to stop.

    Attributes:
        is_done: whether nothing stays that was judged to be filed.
    """

    def __init__(
        self, stack: ExitStack, ledger: Ledger, case: Case, unresolved: UnresolvedMoves, report: Report,
        stopping: threading.Event,
    ) -> None:  # fmt: skip
        self._ledger, self._case, self._unresolved = ledger, case, unresolved
        self._report, self._stopping, self._clock = report, stopping, Clock()
        self._keep = stack.enter_context(closing(EmbeddingWriter(ledger.path.parent, None, report.say))).add
        self._departures = Departures(ledger.path, self._clock, self._came_back, report.say)
        self._filer: Filer | None = None
        self._gone, self._returned, self._first_gone, self._trouble = 0, 0, "", ""
        self.is_done = False

    def stop(self) -> None:
        """Stop filing within a second; a signal handler may call this."""
        if self._filer is not None:
            self._filer.stop()

    def file_all(self, reader: PhotoReader) -> None:
        """File all rows, and sum up.

        Raises:
            OSError, sqlite3.Error: syncs or outcomes cannot be written now; the next start writes them.
        """
        companions = FolderCompanions(self._case.paths.takes)
        try:
            for batch in one_ahead(reader.batches(self._case.rows())):
                self._file(batch, self._parts(batch, companions, reader))
                if self._stopping.is_set() or self._trouble:
                    break
        except StoppedError:
            pass
        if self._filer is not None:
            self._filer.flush()
            while not (self._stopping.is_set() or self._departures.nothing_to_wait_for(self._stopping)):
                pass  # it waits by itself
        self._sum_up(reader.skipped)

    def _parts(self, batch: Batch, companions: FolderCompanions, reader: PhotoReader) -> list[Photo]:
        """Return the companions that lie beside the photos of a batch, also of those that were filed before."""
        leaving = [photo.path for photo in batch.photos if photo.judgement.folder]
        found = [(path, look_at(path)) for path in companions.of([*leaving, *batch.filed])]
        return [Photo(reader.found(path, its, is_companion=True)) for path, its in found if its is not None]

    def _file(self, batch: Batch, parts: list[Photo]) -> None:
        if self._filer is None and (parts or any(photo.judgement.folder for photo in batch.photos)):
            self._filer = self._begin()
        if self._filer is None:
            for photo in batch.photos:
                photo.filing = begin_filing(photo)
        else:
            self._filer.file([*parts, *batch.photos])
            self._trouble = self._filer.pause.reason
            self._departures.look()
        for photo in batch.photos:
            if photo.filing.outcome is Outcome.GONE:
                self._gone += 1
                self._first_gone = self._first_gone or printable(photo.path)
        self._report.photos([*(part for part in parts if part.filing.follows_row), *batch.photos])
        self._keep(batch.photos)

    def _begin(self) -> Filer:
        number = self._ledger.new_batch()
        undo = f"phototriage undo --inbox {shlex.quote(printable(self._case.inbox))} --batch {number}"
        self._report.event("batch", f"batch {number}: to take it back, {undo}", batch=number)
        output, options = self._case.output, self._case.wanted.options
        filer = Filer(output, self._ledger, self._clock, self._report.say, self._unresolved, options, number)
        if self._stopping.is_set():
            filer.stop()
        return filer

    def _came_back(self, original: Path) -> None:
        self._returned += 1
        self._report.say(f"{printable(original)} was written to after it was copied, and is back in the inbox")

    def _sum_up(self, skipped: Skipped) -> None:
        report = self._report
        report.cut_short = self._stopping.is_set() or bool(self._trouble)
        if self._trouble:
            report.say(f"filing stopped: {self._trouble}. Mend it, and give the same command again")
        if skipped.outside:
            report.say(outside(skipped.outside, skipped.first, self._case.inbox))
        report.count_lonely()
        if self._gone:
            report.say(f"{self._gone:,} of the photos that were judged are gone, such as {self._first_gone}")
        sums = report.sums() | {"before": skipped.before, "outside": skipped.outside}
        before = f"; {skipped.before:,} were filed or taken back before" if skipped.before else ""
        begin = "stopped early; " if report.cut_short else ""
        report.event("summary", f"{begin}filed: {report.counted()}{before}", **sums)
        stays = self._gone or self._returned or skipped.outside or report.waiting or report.cut_short
        self.is_done = not stays
