"""From rows of results to photos that the filer takes: what lies there is hashed again, and people's word wins."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from bulk.filing.inbox import InboxPaths
from bulk.filing.judged import Judged
from common.errors import PhotoError, Reason
from contract.geometry import Geometry
from daemon.classify.known import heed
from daemon.decode.contents import hash_whole, opened
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.files.identity import Identity, look_at
from daemon.intake.inbox_mounts import InboxMounts
from daemon.photo import Found, Judgement, Outcome, Photo, Read
from daemon.process.clock import Clock
from daemon.words.words import Words

TOGETHER = 128
"""Photos that share one pair of commits, as in the daemon's backlog."""
CHANGED = "it changed after it was judged; make a plan again and judge it"
AWAY = "it was taken away after it was judged"
LINK = "it is a symbolic link, which `sort` leaves alone, too"
_NOWHERE = Identity(0, 0, 0, 0)
_TO_FILE = (Outcome.FILED, Outcome.REVIEW)


class Known(NamedTuple):
    """What the ledger says.

    Attributes:
        is_held: tells whether a file was filed as a copy or link, or taken back, and is left alone.
        were_filed: tells for paths and contents whether they were filed from there.
    """

    is_held: Callable[[Path, Identity], bool]
    were_filed: Callable[[Sequence[tuple[Path, str]]], Sequence[bool]]


@dataclass(slots=True)
class Skipped:
    """Rows that are no photos for the filer.

    Attributes:
        before: how many were filed by an earlier call, or taken back.
        outside: how many do not lie in the inbox.
        first: the first of these.
    """

    before: int = 0
    outside: int = 0
    first: str = ""


@dataclass(slots=True)
class Batch:
    """Rows that are filed together.

    Attributes:
        photos: for the filer.
        filed: photos that an earlier call has filed; their companions may have stayed behind.
    """

    photos: list[Photo] = field(default_factory=list)
    filed: list[Path] = field(default_factory=list)


class PhotoReader:
    """Makes photos of rows, and counts those that need none.

    Args:
        paths: of the inbox.
        inbox: the folder, without links.
        mounts: of the inbox.
        known: what the ledger says.
        words: of people, which win.
        guard: decodes, where a date or a likeness is asked for; stops the reading.
        geometry: of the model; None if that is not known.
        dated: whether the layout needs the capture time.
        threads: how many read.
    """

    def __init__(
        self, paths: InboxPaths, inbox: Path, mounts: InboxMounts, known: Known, words: Words, guard: Guard,
        *, geometry: Geometry | None, dated: bool, threads: int,
    ) -> None:  # fmt: skip
        self._paths, self._inbox, self._mounts, self._known = paths, inbox, mounts, known
        self._words, self._guard, self._dated = words, guard, dated
        self._geometry, self._compares = geometry or Geometry(), geometry is not None
        self._threads, self._clock = threads, Clock()
        self.skipped = Skipped()

    def batches(self, rows: Iterable[Judged]) -> Iterator[Batch]:
        """Yield batches in the order of the rows; used by one thread.

        Raises:
            StoppedError: the guard was stopped.
        """
        rows = iter(rows)
        with ThreadPoolExecutor(self._threads, "read") as pool:
            while some := list(islice(rows, TOGETHER)):
                batch = Batch()
                pairs = [(row, path) for row in some if (path := self._place(row)) is not None]
                looked = pool.map(lambda pair: look_at(pair[1]), pairs)
                there = [(row, path, identity) for (row, path), identity in zip(pairs, looked, strict=True)]
                left = self._sifted(there, batch)
                batch.photos = list(pool.map(self._read, left))
                yield batch

    def found(self, path: Path, identity: Identity, *, is_companion: bool = False) -> Found:
        """Return what the intake would know of a file."""
        on_share, mount = self._mounts.share_and_mount(path.parent)
        relpath = path.parent.relative_to(self._inbox)
        return Found(
            path, identity, self._clock.monotonic_s(), relpath=relpath, on_share=on_share, mount=mount,
            is_companion=is_companion,
        )  # fmt: skip

    def _place(self, row: Judged) -> Path | None:
        path = self._paths.find(row.path)
        if path is None:
            self.skipped.first = self.skipped.first or row.path
            self.skipped.outside += 1
        return path

    def _sifted(
        self, there: list[tuple[Judged, Path, Identity | None]], batch: Batch
    ) -> list[tuple[Judged, Path, Identity | None]]:
        """Return the rows without those that the ledger knows."""
        away = [(path, row.sha256) for row, path, identity in there if identity is None]
        were_filed = self._known.were_filed(away) if away else ()
        filed = {path for (path, _), was in zip(away, were_filed, strict=True) if was}
        left = []
        for row, path, identity in there:
            if (path in filed) if identity is None else self._known.is_held(path, identity):
                self.skipped.before += 1
                batch.filed.append(path)
            else:
                left.append((row, path, identity))
        return left

    def _read(self, one: tuple[Judged, Path, Identity | None]) -> Photo:
        row, path, identity = one
        if identity is None:
            found = Found(path, _NOWHERE, self._clock.monotonic_s(), relpath=path.parent.relative_to(self._inbox))
            if path.is_symlink():
                return Photo(found, judgement=replace(row.judgement, outcome=Outcome.LEFT, folder="", reason=LINK))
            return Photo(found, judgement=_kept(row, Outcome.GONE, PhotoError(Reason.CHANGED, AWAY)))
        found = self.found(path, identity)
        if row.judgement.outcome is Outcome.LEFT:
            return Photo(found, judgement=row.judgement)
        if why := self._paths.why_left(path):
            return Photo(found, judgement=replace(row.judgement, outcome=Outcome.LEFT, folder="", reason=why))
        read = self._content(row, found)
        if read.fault is not None:
            gone = read.fault.reason is Reason.CHANGED
            judgement = _kept(row, Outcome.GONE if gone else Outcome.AGAIN, read.fault)
        elif read.sha256 != row.sha256:
            judgement = _kept(row, Outcome.AGAIN, PhotoError(Reason.CHANGED, CHANGED))
        else:
            judgement = heed(row.judgement, found, read, self._words) if self._words else row.judgement
        return Photo(found, read.without_pixels(), judgement, times_ms={**row.times_ms, **read.times_ms})

    def _content(self, row: Judged, found: Found) -> Read:
        """Hash the file; decode it, too, if it matters when it was taken or what it is like."""
        judgement = row.judgement
        to_file, embedding = judgement.outcome in _TO_FILE, judgement.embedding
        near = self._compares and embedding is not None and self._words.may_know(embedding)
        if to_file and (self._dated or near):
            return self._decoded(found)
        try:
            began_s = self._clock.monotonic_s()
            with opened(found) as (descriptor, changed_s):
                sha256 = hash_whole(descriptor, found.identity.size, self._guard.check_stopped)
        except PhotoError as fault:
            return Read(fault=PhotoError(fault.reason, fault.detail))
        took_ms = 1e3 * (self._clock.monotonic_s() - began_s)
        return Read(self._clock.wall_s() - changed_s, sha256, times_ms={"read": took_ms})

    def _decoded(self, found: Found) -> Read:
        read = decode(found, self._geometry, self._clock.wall_s(), self._guard, dated=True)
        if not read.sha256:
            self._guard.check_stopped()
        elif read.fault is not None and read.fault.reason is not Reason.CHANGED:
            read = replace(read, fault=None)  # whether it can be decoded was judged already
        return read if self._compares else read.without_pixels()


def _kept(row: Judged, outcome: Outcome, fault: PhotoError) -> Judgement:
    """Return that a photo stays because of something that is wrong with its file."""
    return replace(row.judgement, outcome=outcome, folder="", reason=fault.detail, fault=fault)
