"""The photo that travels through the pipeline, from the inbox to the folder of its class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.errors import PhotoError
from contract.geometry import Pixels
from contract.labels import FOLDERS_BESIDE_CLASSES
from daemon.files.identity import Identity

FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER = FOLDERS_BESIDE_CLASSES


if TYPE_CHECKING:
    from contract.session import Model


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


@dataclass(slots=True)
class Photo:
    """One photo.

    Attributes:
        path: in the inbox.
        identity: of the file when it was found ready.
        noticed_s: when it was first seen, on the monotonic clock.
        announced: whether the kernel reported it; otherwise a scan found it, and its age in the inbox is unknown.
        relpath: its folder below the inbox; empty for the inbox itself.
        waited_s: how long this unchanged file has stayed in the inbox since its first try.
        on_share: whether its file times come from another machine's clock.
        mount: mount point inside the inbox below which it lies; None on the inbox's own mount.
        unchanged_s: age of its last change by the wall clock; negative if that lies in the future.
        dated: whether the layout needs the capture time.
        sha256: of its bytes, hexadecimal.
        taken: capture time, local to the camera; None if the bytes do not tell or the layout does not need it.
        pixels: input of the network, uint8 [size, size, 3]; dropped after classification.
        model: decides the geometry; dropped with the pixels, so that no photo keeps an old model in memory.
        rules: decision rules of that model.
        fault: why the photo cannot be read.
        scores: float32 [classes].
        label: the class under which it is filed, or `_review`, `_failed`.
        probability: of the most probable class.
        folder: of the output, a class or a name that begins with `_`; empty if the photo stays.
        destination: where it was moved to.
        companions: files of the same name that are filed with it, such as a sidecar or a film.
        follows: for a companion, where its photo is filed now.
        follows_row: for a companion, its photo's row in the ledger if that was filed before.
        outcome: of this pass.
        place: unusable place of the output for which it waits; empty if it does not wait, or if all photos wait.
        plainness: how far its name must be simplified, because the file system refused a less simple one.
        tries: how often a name that looked free turned out to be taken.
        stays: whether its original stays in the inbox, because it is filed as a copy or link.
        again_within_s: longest time until the next try of a photo that stays.
        reason: why it was not filed: the rest of the sentence.
        times_ms: how long each stage took.
    """

    path: Path
    identity: Identity
    noticed_s: float
    announced: bool = False
    relpath: Path = Path()
    waited_s: float = 0.0
    on_share: bool = False
    mount: Path | None = None
    unchanged_s: float = 0.0
    dated: bool = False
    sha256: str = ""
    taken: datetime | None = None
    pixels: Pixels | None = None
    model: "Model | None" = None
    rules: "Rules | None" = None
    fault: PhotoError | None = None
    scores: NDArray[np.float32] | None = None
    label: str = ""
    probability: float = 0.0
    folder: str = ""
    destination: Path | None = None
    companions: list["Photo"] = field(default_factory=list)
    follows: Path | None = None
    follows_row: int | None = None
    outcome: Outcome = Outcome.AGAIN
    place: str = ""
    plainness: int = 0
    tries: int = 0
    stays: bool = False
    again_within_s: float = inf
    reason: str = ""
    times_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """Decision rules of one model.

    Attributes:
        labels: the model's, in order.
        thresholds: probability per label; a photo below goes to review.
        give_up_after_s: how long an unreadable photo must stay unchanged before it goes to `_failed`.
        model: SHA-256 of the model file.
        provider: where the model runs.
        dated: whether the layout needs the capture time.
    """

    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    give_up_after_s: float
    model: str
    provider: str
    dated: bool = False
