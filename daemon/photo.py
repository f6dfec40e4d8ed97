"""What travels through the pipeline: a photo with one value for each stage that it has passed.

    Found      by the intake        which file, and since when it waits
    Read       by decode            hash, pixels, or why it cannot be read
    Judgement  by classify          which folder it should go to, and why
    Filing     by the filer         where it went, or why it stays

The first three never change once they are made, and may be sent to another process: neither they nor a photo hold a
model. Each stage sets its own value and adds its own time, nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import NamedTuple

from common.errors import PhotoError
from contract.geometry import Geometry, Pixels
from contract.labels import FOLDERS_BESIDE_CLASSES
from daemon.files.identity import Identity
from daemon.review import Likeness, ReviewReason

FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER = FOLDERS_BESIDE_CLASSES
STOPPED = "the daemon was stopped first"


class Mode(StrEnum):
    """How a photo is filed: moved, or left in the inbox while a copy or link of it is filed."""

    MOVE = "move"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class Outcome(StrEnum):
    """The outcome of one pass of a photo through the pipeline."""

    FILED = "filed"
    REVIEW = "review"
    FAILED = "failed"
    LEFT = "left"
    """The file is not a photo, or this installation cannot read it; it stays in the inbox."""
    AGAIN = "again"
    """An obstacle outside the photo, or the photo may still be growing: it stays and is retried."""
    DUPLICATE = "duplicate"
    """A photo with equal content is filed already; this one is set aside."""
    GONE = "gone"
    """Another program removed or changed the photo before it was filed."""
    UNDONE = "undone"
    """The photo was moved back to the inbox and is left alone until it changes."""
    RETRIED = "retried"
    """The photo was moved back to the inbox to be classified again."""


STATES = (*(outcome.value for outcome in Outcome if outcome not in (Outcome.LEFT, Outcome.AGAIN)), "open")
"""States of a ledger row. A photo that stays in the inbox has no row; `open` is an intent without an outcome yet."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the inbox that is ready: what the intake knows.

    Attributes:
        path: in the inbox.
        identity: of the file when it was found ready.
        noticed_s: when it was first seen, on the monotonic clock.
        announced: whether the kernel reported it; otherwise a scan found it, and its age in the inbox is unknown.
        relpath: its folder below the inbox; empty for the inbox itself.
        waited_s: how long this unchanged file has stayed in the inbox since its first try.
        on_share: whether its file times come from another machine's clock.
        mount: mount point inside the inbox below which it lies; None on the inbox's own mount.
        is_companion: whether it belongs to a photo, as a sidecar or a film does: it is filed with it, and not read.
    """

    path: Path
    identity: Identity
    noticed_s: float = 0.0
    announced: bool = False
    relpath: Path = Path()
    waited_s: float = 0.0
    on_share: bool = False
    mount: Path | None = None
    is_companion: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What decoding has found; without pixels and without a fault if the daemon stopped before that.

    Attributes:
        unchanged_s: age of the file's last change by the wall clock; negative if that lies in the future.
        sha256: of its bytes, hexadecimal.
        taken: capture time, local to the camera; None if the bytes do not tell or the layout does not need it.
        pixels: input of the network, uint8 [size, size, 3]; dropped after classification.
        geometry: that of the pixels.
        fault: why the photo cannot be read.
        must_be_isolated: whether a process of its own may read it in spite of the fault.
        times_ms: how long reading and decoding took.
    """

    unchanged_s: float = 0.0
    sha256: str = ""
    taken: datetime | None = None
    pixels: Pixels | None = None
    geometry: Geometry | None = None
    fault: PhotoError | None = None
    must_be_isolated: bool = False
    times_ms: Mapping[str, float] = field(default_factory=dict)

    def without_pixels(self) -> "Read":
        """Return the same without pixels, which take more memory than all the rest."""
        return Read(
            self.unchanged_s,
            self.sha256,
            self.taken,
            None,
            self.geometry,
            self.fault,
            self.must_be_isolated,
            self.times_ms,
        )


class Embedding(NamedTuple):
    """A photo's place among all photos, as a model gives it.

    Attributes:
        id: embeddings of different ids cannot be compared.
        values: float16 [D] in little-endian order, of length one.
    """

    id: str
    values: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one model and the decision rules make of a photo.

    Attributes:
        outcome: filed, review or failed; left, again or gone if there is nothing to file.
        folder: of the output, a class or a name that begins with `_`; empty if the photo stays.
        reason: why it does not go to the folder of its class, or that a person chose it: the rest of the sentence.
        label: the most probable class; empty if there is none.
        probability: of that class.
        threshold: probability below which that class goes to review.
        likeness: how like what the model has learnt the photo is; None for a model that does not tell.
        review_reason: why it goes to review; None if it does not.
        top: the most probable classes with their probabilities.
        fault: why the photo has no class.
        again_within_s: longest time until the next try of a photo that stays.
        model: SHA-256 of the model file.
        provider: where the model ran.
        embedding: None for a model that gives none.
        said: the class that a person gave this photo, or nearly the same one; empty if nobody did.
    """

    outcome: Outcome = Outcome.AGAIN
    folder: str = ""
    reason: str = ""
    label: str = ""
    probability: float = 0.0
    threshold: float = 0.0
    likeness: Likeness | None = None
    review_reason: ReviewReason | None = None
    top: Mapping[str, float] = field(default_factory=dict)
    fault: PhotoError | None = None
    again_within_s: float = inf
    model: str = ""
    provider: str = ""
    embedding: Embedding | None = None
    said: str = ""

    def of_companion(self) -> "Judgement":
        """Return what holds for a companion of the photo, which was not classified itself."""
        return Judgement(label=self.label, threshold=self.threshold, model=self.model, provider=self.provider)


NOT_READ, NOT_JUDGED = Read(), Judgement(reason=STOPPED)


@dataclass(slots=True)
class Filing:
    """What the filer does with a photo; only the filer changes it.

    Attributes:
        outcome: of this pass.
        folder: of the output; empty if the photo stays.
        reason: why it was not filed under its class, or that a person chose it: the rest of the sentence.
        destination: where it was moved to.
        companions: files of the same name that are filed with it, such as a sidecar or a film.
        follows: for a companion, where its photo is filed now.
        follows_row: for a companion, its photo's row in the ledger if that was filed before.
        replaces: for a sidecar that was filed before, its row then, and the hidden name which that file gets.
        waits_for: unusable place for which it waits; empty if it does not wait, or if all photos wait.
        plainness: how far its name must be simplified, because the file system refused a less simple one.
        tries: how often a name that looked free turned out to be taken.
        stays: whether its original stays in the inbox, because it is filed as a copy or link.
        is_told: whether a person was told of it before, so that it is not reported again.
    """

    outcome: Outcome = Outcome.AGAIN
    folder: str = ""
    reason: str = ""
    destination: Path | None = None
    companions: list["Photo"] = field(default_factory=list)
    follows: Path | None = None
    follows_row: int | None = None
    replaces: tuple[int, Path] | None = None
    waits_for: str = ""
    plainness: int = 0
    tries: int = 0
    stays: bool = False
    is_told: bool = False

    def keep(self, outcome: Outcome, reason: str) -> None:
        """Keep the photo in the inbox."""
        self.destination, self.outcome, self.reason = None, outcome, reason


@dataclass(slots=True)
class Photo:
    """One photo or companion on its way.

    Attributes:
        found: set by the intake.
        read: set by the stage that reads.
        judgement: set by the stage that classifies; a companion gets that of its photo when the two are filed.
        filing: set by the filer.
        times_ms: how long each stage took.
    """

    found: Found
    read: Read = NOT_READ
    judgement: Judgement = NOT_JUDGED
    filing: Filing = field(default_factory=Filing)
    times_ms: dict[str, float] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Its path in the inbox."""
        return self.found.path
