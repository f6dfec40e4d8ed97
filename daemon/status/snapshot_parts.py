"""The values that a status is made of."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a daemon does; the client concludes some of them (`CONCLUDED`) when no process answers.

    `ended` is a daemon that somebody ran by hand and ended, or a `sort` that finished. It does not count as missing.
    """

    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    DEGRADED = "degraded"
    STUCK = "stuck"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DOWN = "not running"
    ENDED = "ended"
    SILENT = "does not answer"


CONCLUDED = (State.DOWN, State.ENDED, State.SILENT)
"""States that no process says of itself."""


@dataclass(frozen=True, slots=True)
class LastError:
    """The last thing that went wrong.

    Attributes:
        at_s: when.
        error: a sentence.
    """

    at_s: float
    error: str


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The model that classifies.

    Attributes:
        file: its path.
        sha256: of the file.
        labels: its classes.
        note: why it does not run on the GPU; empty if it does, or need not.
    """

    file: str
    sha256: str
    labels: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class WaitingPhotos:
    """Photos in the inbox that are known of and not filed yet.

    Attributes:
        photos: how many.
        more: whether there may be more than were counted.
        oldest_s: time since the oldest was noticed; None if none waits.
    """

    photos: int
    more: bool
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file that a program holds open for writing.

    Attributes:
        path: of the file.
        for_s: how long phototriage has known that.
    """

    path: str
    for_s: float


@dataclass(frozen=True, slots=True)
class HeldFiles:
    """Files that programs hold open for writing.

    Attributes:
        files: how many.
        longest: some of them, the longest first.
    """

    files: int = 0
    longest: tuple[HeldFile, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingCompanions:
    """Sidecars, films and raw files in the inbox that wait for their photo.

    Attributes:
        files: how many.
        first: paths of some of them, those that came first.
    """

    files: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockedPlace:
    """A place that cannot be used.

    Attributes:
        place: the folder, or a photo's path.
        photos: how many wait for it.
        reason: why it cannot be used.
    """

    place: str
    photos: int
    reason: str


@dataclass(frozen=True, slots=True)
class BlockedPhotos:
    """Photos that wait for places that cannot be used.

    Attributes:
        photos: how many, for all places.
        places: those for which most photos wait.
    """

    photos: int = 0
    places: tuple[BlockedPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long photos took in one stage.

    Attributes:
        count: photos.
        sum_s: the time of all.
        up_to_s: how many took at most as long as each bound; the keys are the bounds in seconds, the last is `+Inf`.
    """

    count: int
    sum_s: float
    up_to_s: dict[str, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted since the process began.

    Attributes:
        classes: photos filed, by class.
        outcomes: finished photos, by outcome, and companions.
        reviews: photos that went to review, by reason.
        failures: photos that could not be read, by reason.
        known: photos that went where a person had put the same photo, or nearly the same one.
        rates: photos a second moved into the output, over the last `60s` and `600s`.
        stages: times, by stage.
        last_filed_at_s: when a photo was filed last; None if none was.
        last_error: what went wrong last; None if nothing did.
    """

    classes: dict[str, int]
    outcomes: dict[str, int]
    reviews: dict[str, int]
    failures: dict[str, int]
    known: int
    rates: dict[str, float]
    stages: dict[str, StageTimes]
    last_filed_at_s: float | None
    last_error: LastError | None
