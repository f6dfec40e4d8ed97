"""`phototriage replay`: what another model would have filed differently. Nothing is touched: no photo and no ledger.
Only embeddings that are missing beside the ledger are added.

The ledger says which photos were filed and under what; they are read where they lie now, through the same code as when
they are filed. A photo that is no longer there, or no longer the same, is counted and left out. Where people said what
a photo is, both models are compared with that.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from contract.labels import OTHER
from daemon.classify.loaded_model import LoadedModel
from daemon.files.identity import look_at
from daemon.ledger.intent import Intent
from daemon.ledger.queries import Record, RecordFilter, how_many
from daemon.ledger.reader import ask_ledger, photos
from daemon.ledger.since.places import at_hand, filed_folder
from daemon.models.missing_embeddings import MissingEmbeddings
from daemon.photo import REVIEW_FOLDER, Found, Mode, Outcome, Photo
from daemon.predict import predict, trial_guard
from daemon.review import Likeness, ReviewReason
from daemon.words.word import KNOWN


class Agreement(StrEnum):
    """How a photo stands to another model."""

    SAME = "same"
    DIFFERENT = "different"
    GONE = "gone"
    """It lies neither where it was filed nor where it was seen last."""
    CHANGED = "changed"
    """Another photo lies there, or it was edited."""
    UNREADABLE = "unreadable"
    """It cannot be read now."""


@dataclass(frozen=True, slots=True)
class FiledPhoto:
    """A photo that was filed, as the ledger tells.

    Attributes:
        place: where it is now.
        reads: where it may be read: its original, if a symbolic link of it was filed.
        sha256: of its bytes.
        folder: the class that the model filed it under, or `_review`.
        label: the most probable class.
        probability: of that.
        said: the label in force: what people said; empty if they said nothing.
    """

    place: Path
    reads: tuple[Path, ...]
    sha256: str
    folder: str
    label: str
    probability: float
    said: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What another model would do with a photo; all that follows `now` is empty where it was not read."""

    case: FiledPhoto
    now: Agreement
    folder: str = ""
    label: str = ""
    probability: float = 0.0
    review_reason: ReviewReason | None = None
    likeness: Likeness | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether people said what it is, and the model was asked."""
        return bool(self.case.said and self.folder)

    @property
    def agrees(self) -> bool:
        """Whether the model would file it as people said."""
        return self.is_corrected and self.folder == _folder_of(self.case.said)

    @property
    def agreed_before(self) -> bool:
        """Whether it was filed as people said."""
        return self.is_corrected and self.case.folder == _folder_of(self.case.said)


def _folder_of(said: str) -> str:
    """Return where a photo belongs of which people said this: what is of no class belongs into review."""
    return REVIEW_FOLDER if said == OTHER else said


def replay(
    ledger: Path, since_s: float | None, limit: int, loaded: LoadedModel, missing: MissingEmbeddings
) -> Iterator[Verdict]:
    """Yield what a model would do with each photo that lies in the output under a class or in review, youngest first.

    Progress is shown on a terminal. The daemon's notes beside the ledger say which photos are to be decoded in a
    process of their own.

    Args:
        ledger: its file.
        since_s: only photos filed since this time.
        limit: how many photos; negative for all.
        loaded: the other model and its rules.
        missing: takes the embeddings of the photos.
    """
    which = RecordFilter(since_s=since_s, states=(Outcome.FILED.value, Outcome.REVIEW.value), at_large=True)
    found = photos(ledger, which, limit, lambda _, record: _case(record))
    count = ask_ledger(ledger, lambda connection: how_many(connection, which))
    most = min(count, limit) if limit > 0 else count
    with ExitStack() as stack:
        stack.callback(missing.flush)
        guard = stack.enter_context(trial_guard(ledger.parent))
        for case, photo in predict(found, _found, loaded, guard, count=most):
            verdict = _verdict(case, photo)
            if photo is not None and verdict.folder:
                missing.note(photo)
            yield verdict


def _case(record: Record) -> FiledPhoto:
    intent, place = record.intent, record.path
    reads = (intent.source,) if intent.mode is Mode.SYMLINK else (place, intent.destination)
    return FiledPhoto(place, reads, intent.sha256, _judged(intent), intent.label, intent.probability, record.said)


def _judged(intent: Intent) -> str:
    """Return where the model put a photo; where people's word chose the folder, where the model would have put it."""
    if not intent.reason.startswith(KNOWN):
        return filed_folder(intent)
    likeness = intent.likeness
    is_unfamiliar = likeness is not None and likeness.limit is not None and likeness.familiarity < likeness.limit
    in_review = is_unfamiliar or intent.label == OTHER or intent.probability < intent.threshold
    return REVIEW_FOLDER if in_review else intent.label


def _found(case: FiledPhoto) -> Found | None:
    path = at_hand(*case.reads)
    identity = look_at(path)
    return None if identity is None else Found(path, identity)


def _verdict(case: FiledPhoto, photo: Photo | None) -> Verdict:
    if photo is None or photo.judgement.outcome is Outcome.GONE:
        return Verdict(case, Agreement.GONE)
    if photo.read.sha256 and photo.read.sha256 != case.sha256:
        return Verdict(case, Agreement.CHANGED)
    judgement = photo.judgement
    if not judgement.label:
        return Verdict(case, Agreement.UNREADABLE)
    now = Agreement.SAME if judgement.folder == case.folder else Agreement.DIFFERENT
    return Verdict(
        case,
        now,
        judgement.folder,
        judgement.label,
        judgement.probability,
        judgement.review_reason,
        judgement.likeness,
    )
