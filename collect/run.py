"""A collection from start to end: what is known, what a source names, what is kept, and in which order it lies."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collect.errors import FetchError
from collect.keep.collection import Collection, opened, ranked_name
from collect.keep.dataset import Own, own_photos
from collect.keep.eye import Eye, opened_eye
from collect.keep.known import MARKS, Known, own_marks
from collect.keep.order import Ranked, ranked
from collect.sources.candidate import Candidate
from collect.sources.service import Source
from collect.web.fetch import Fetcher
from collect.web.retry_after import Pauses, Wait, patiently
from common import sources
from common.errors import PhotoError
from common.publish import publish_bytes
from common.text import cell, printable
from contract.formats import SNIFF_BYTES, sniff

TABLE = "candidates.csv"
LOOKED_AT = 20
"""At most so many candidates are looked at for each photo that is wanted, so that no source goes on for ever."""
SHOWN = 5
TOLD_EVERY = 25


@dataclass(frozen=True)
class Wanted:
    """What a collection is for.

    Attributes:
        label: the class.
        output: folder of the collection.
        dataset: folder of labelled photos that are known already; None without one.
        licences: codes of licences that are taken.
        count: how many photos the collection holds at the end, those included that were moved away since.
    """

    label: str
    output: Path
    dataset: Path | None
    licences: tuple[str, ...]
    count: int

    def own(self) -> Iterator[Own]:
        """Yield the photos of the dataset."""
        return own_photos(self.dataset) if self.dataset is not None else iter(())


@dataclass
class Collected:
    """What came of it.

    Attributes:
        kept: photos that came now.
        total: rows of sources.csv.
        left_out: candidates that came now and were not kept, by reason.
        examples: sentences about some of them.
        licences: photos by licence, of all rows.
        order: the candidates that lie in the folder.
    """

    kept: int = 0
    total: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    licences: Counter[str] = field(default_factory=Counter)
    order: list[Ranked] = field(default_factory=list)

    def leave_out(self, reason: str, sentence: str = "") -> None:
        """Count a candidate that is left out."""
        self.left_out[reason] += 1
        if sentence and len(self.examples) < SHOWN:
            self.examples.append(sentence)


def collect(wanted: Wanted, source: Source, fetcher: Fetcher, wait: Wait, say: Callable[[str], None]) -> Collected:
    """Collect candidates for a class. A collection that was killed goes on.

    Args:
        source: names candidates.
        fetcher: fetches photos.
        wait: sleeps, in seconds.
        say: called with sentences about how far it is.

    Raises:
        CollectError: the folder cannot be written, or the source fails. What was collected is kept.
    """
    found = Collected()
    with opened(wanted.output) as folder, opened_eye(wanted.output) as eye:
        marks = own_marks(wanted.own(), eye, wanted.output / MARKS, say)
        work = _Work(wanted, folder, eye, Known(marks, folder.fingerprints), fetcher, Pauses(wait), found)
        try:
            for looked_at, candidate in enumerate(source.candidates()):
                if len(folder.rows) >= wanted.count or looked_at >= LOOKED_AT * wanted.count:
                    break
                work.take(candidate, source.name)
                if (looked_at + 1) % TOLD_EVERY == 0:
                    say(f"{looked_at + 1:,} candidates were looked at, and {found.kept:,} photos kept.")
        finally:
            found.order = _put_in_order(folder, wanted, eye)
            found.total, found.licences = len(folder.rows), Counter(row.licence for row in folder.rows.values())
    return found


@dataclass(frozen=True)
class _Work:
    """What is needed to take a candidate, or to leave it out."""

    wanted: Wanted
    folder: Collection
    eye: Eye
    known: Known
    fetcher: Fetcher
    pauses: Pauses
    found: Collected

    def take(self, candidate: Candidate, found_by: str) -> None:
        """Fetch a candidate, and keep it if it is a new photo under a licence that is taken."""
        if self.folder.is_done(candidate.url):
            return
        if candidate.licence not in self.wanted.licences:
            self.found.leave_out("licence")
            return
        try:
            data = patiently(lambda: self.fetcher.photo(candidate.url), self.pauses)
        except FetchError as error:
            self.found.leave_out("not fetched", f"{printable(candidate.url)[:200]}: {error}.")
            if error.lasting:
                self.folder.end(candidate.url, "not fetched")
            return
        self._judge(candidate, data, found_by)

    def _judge(self, candidate: Candidate, data: bytes, found_by: str) -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self.folder.rows:
            self._leave_out(candidate, "near duplicate")
            return
        if sniff(data[:SNIFF_BYTES]) is None:
            self._leave_out(candidate, "not a photo")
            return
        part = self.folder.part(sha256)
        publish_bytes(part, data)
        try:
            mark = self.eye.look(part).mark
        except PhotoError as fault:
            part.unlink()
            self._leave_out(candidate, "unreadable", str(fault))
            return
        if self.known.is_own(mark) or self.known.is_kept(mark):
            part.unlink()
            self._leave_out(candidate, "in the dataset" if self.known.is_own(mark) else "near duplicate")
            return
        self.folder.keep(sources.Source(sha256=sha256, found_by=found_by, **candidate._asdict()), mark)
        self.known.add(mark)
        self.found.kept += 1

    def _leave_out(self, candidate: Candidate, reason: str, detail: str = "") -> None:
        self.found.leave_out(reason, f"{printable(candidate.url)[:200]}: {detail}." if detail else "")
        self.folder.end(candidate.url, reason)


def _put_in_order(folder: Collection, wanted: Wanted, eye: Eye) -> list[Ranked]:
    """Name the candidates by their order, and write the table of them."""
    order = ranked(folder.photos(), wanted.label, wanted.own(), eye)
    named = []
    for rank, one in enumerate(order, 1):
        path = one.path.with_name(ranked_name(rank, one.path))
        named.append(one._replace(path=one.path.rename(path)))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "likeness", "more_like", "its_likeness"))
    for one in named:
        figures = (f"{one.likeness:.3f}", cell(one.more_like), f"{one.other_likeness:.3f}" if one.more_like else "")
        table.writerow((one.path.name, *figures))
    publish_bytes(folder.folder / TABLE, text.getvalue().encode())
    return named
