"""Which filed photos would the model in use file elsewhere? All that another model filed are read and judged again."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from daemon.classify.loaded_model import LoadedModel
from daemon.decode.exif_date import taken_at
from daemon.files.identity import look_at
from daemon.ledger.queries import Record, RecordFilter, how_many
from daemon.ledger.reader import ask_ledger, photos
from daemon.ledger.refiles import filed_from
from daemon.models.missing_embeddings import MissingEmbeddings
from daemon.photo import Found, Mode, Outcome, Photo
from daemon.predict import predict, trial_guard
from daemon.refile.choose import choose
from daemon.refile.plan import Proposal
from daemon.words.words import Words

_LEAVING = "SELECT photo FROM leaving"
_JUDGED = (Outcome.FILED.value, Outcome.REVIEW.value)


class _Case(NamedTuple):
    record: Record
    came_from: Path


@dataclass(slots=True)
class Judged:
    """How many photos were judged again, and why others were not.

    Attributes:
        filed: photos in class folders and in review, of any model.
        read: photos that were judged again.
        moved: photos that a person moved, renamed or put into a subfolder.
        changed: photos that are not there any more, or were edited, or cannot be read now.
        links: photos that were filed as symbolic links.
        elsewhere: photos that the model files elsewhere now, without those that go where people said.
    """

    filed: int = 0
    read: int = 0
    moved: int = 0
    changed: int = 0
    links: int = 0
    elsewhere: int = 0


class Proposer:
    """Proposes moves; nothing is touched.

    Args:
        ledger: its file.
        inbox: root that photos came from.
        loaded: the model in use, and its rules.
        words: of people.
        names: new names of classes, as `choose` takes them.

    Attributes:
        judged: what was done so far.
    """

    def __init__(self, ledger: Path, inbox: Path, loaded: LoadedModel, words: Words, names: Mapping[str, str]) -> None:
        self._ledger, self._inbox, self._loaded, self._words, self._names = ledger, inbox, loaded, words, names
        self._missing = MissingEmbeddings(ledger.parent, loaded.model.contract.familiarity)
        every = RecordFilter(states=_JUDGED, at_large=True)
        self.judged = Judged(filed=ask_ledger(ledger, lambda connection: how_many(connection, every)))

    def propose(self, since_s: float | None) -> Iterator[Proposal]:
        """Yield the photos that belong to another class now, youngest first; a terminal shows the progress.

        Args:
            since_s: only photos filed since this time.
        """
        which = RecordFilter(since_s=since_s, states=_JUDGED, at_large=True, not_by=self._loaded.rules.model)
        count = ask_ledger(self._ledger, lambda connection: how_many(connection, which))
        leaving = ask_ledger(self._ledger, lambda connection: {row for (row,) in connection.execute(_LEAVING)})
        found = photos(
            self._ledger, which, -1, lambda connection, record: _Case(record, filed_from(connection, record.intent))
        )
        cases = (case for case in found if case.record.row not in leaving and self._may_move(case.record))
        with ExitStack() as stack:
            stack.callback(self._missing.flush)
            guard = stack.enter_context(trial_guard(self._ledger.parent))
            for case, photo in predict(cases, _found, self._loaded, guard, count=count, words=self._words):
                if (proposal := self._proposal(case, photo)) is not None:
                    yield proposal

    def _may_move(self, record: Record) -> bool:
        """Tell whether a photo lies where phototriage put it; counts it otherwise."""
        place = record.place
        if record.intent.mode is Mode.SYMLINK:
            self.judged.links += 1
        elif place is None or (place.path == record.intent.destination and not (place.is_gone or place.waits)):
            return True
        elif place.is_gone:
            self.judged.changed += 1
        else:
            self.judged.moved += 1
        return False

    def _proposal(self, case: _Case, photo: Photo | None) -> Proposal | None:
        record = case.record
        if photo is None or photo.read.sha256 != record.intent.sha256 or not photo.judgement.label:
            self.judged.changed += 1
            return None
        self.judged.read += 1
        self._missing.note(photo)
        found = choose(photo.judgement, record.folder, len(self._loaded.rules.labels), self._names)
        if found is None:
            return None
        self.judged.elsewhere += not found.said
        folder = case.came_from.parent
        relpath = folder.relative_to(self._inbox) if folder.is_relative_to(self._inbox) else Path()
        return Proposal(record.row, found, relpath, taken_at(photo))


def _found(case: _Case) -> Found | None:
    identity = look_at(case.record.intent.destination)
    return None if identity is None else Found(case.record.intent.destination, identity)
