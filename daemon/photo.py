"""The one thing that travels: a photo on its way from the inbox to its class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contract.errors import PhotoError
from contract.geometry import Pixels
from daemon.files.identity import Identity

FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER = "_failed", "_review", "_duplicates"


if TYPE_CHECKING:
    from contract.session import Model


class Mode(StrEnum):
    """How a photo is filed: moved, or left where it is while a copy or link of it is filed."""

    MOVE = "move"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class Outcome(StrEnum):
    """Where a photo's way ended, this time."""

    FILED = "filed"
    REVIEW = "review"
    FAILED = "failed"
    LEFT = "left"
    """It is none of ours to move (no photo, or not to be read by this installation) and stays in the inbox."""
    AGAIN = "again"
    """Something other than the photo is in the way, or it may still be growing: it stays, and is tried again."""
    DUPLICATE = "duplicate"
    """A photo of equal content is filed already: it is set aside."""
    GONE = "gone"
    """Somebody took it away, or changed it, before it was filed."""
    UNDONE = "undone"
    """It was taken back to the inbox, where it is left alone until it changes."""
    RETRIED = "retried"
    """It was taken back to the inbox to be judged again."""


STATES = (*(outcome.value for outcome in Outcome if outcome not in (Outcome.LEFT, Outcome.AGAIN)), "open")
"""States of a ledger row. A photo that stays in the inbox has no row; `open` is an intent without an outcome yet."""


@dataclass(slots=True)
class Photo:
    """One photo.

    Attributes:
        path: where it lies in the inbox.
        identity: of the file that was found ready.
        noticed_s: when it was first seen, on the monotonic clock.
        announced: whether an event announced it; otherwise a scan found it, and how long it lay there is not known.
        relpath: its folder below the inbox, empty for the inbox itself.
        waited_s: how long this very file has failed to decode so far, as the intake knows it.
        on_share: whether the time of its last change is by another machine's clock.
        mount: the folder at which what it lies on is mounted inside the inbox; None on the inbox's own mount.
        unchanged_s: age of its last change by the wall clock; negative if that lies in the future.
        dated: whether the layout asks when it was taken.
        sha256: of its bytes, hexadecimal.
        taken: the camera's local time, by the bytes that were decoded; None if they do not tell, or nobody asked.
        pixels: its input to the network, uint8 [size, size, 3]; dropped once it is classified.
        model: for whose geometry it is decoded; dropped with the pixels, so that no photo keeps an old one alive.
        rules: by what it is judged: those of that model.
        fault: why it cannot be read.
        scores: float32 [classes].
        label: the class under which it is filed, or `_review`, `_failed`.
        probability: of the most probable class.
        folder: of the output that it goes to, a class or one that begins with `_`; empty if it stays.
        destination: where it was moved to.
        companions: files of the same name that travel with it.
        follows: the photo whose companion this is, where it is filed now.
        follows_row: of that photo in the ledger, if it was filed before.
        outcome: how its way ended.
        place: what of the output it waits for, as that cannot be used now; empty if it does not wait, or all do.
        plainness: how plain its name has to be where it goes, as a plainer one was refused.
        tries: how often a name was said to be taken that was found free.
        stays: whether its original stays in the inbox though it is filed, as a copy or link.
        again_within_s: latest time to the next try of a photo that stays.
        reason: the rest of the sentence when it was not filed.
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
        thresholds: probability per label below which a photo wants review.
        give_up_after_s: how long an unreadable photo must stay unchanged before it is failed.
        model: SHA-256 of the model file.
        provider: where it runs.
        dated: whether the layout asks when a photo was taken.
    """

    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    give_up_after_s: float
    model: str
    provider: str
    dated: bool = False
