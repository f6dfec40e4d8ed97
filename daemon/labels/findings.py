"""What a look found. A finding changes nothing by itself: the ledger is told by the caller."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from daemon.labels.listed.listing import File
from daemon.labels.rows import RowId, Sighting


class Label(NamedTuple):
    """A person put a photo into the folder of another class.

    Attributes:
        row: of the photo.
        name: the class.
        place: where the photo is now.
        file: what lies there.
        is_proposed: whether no model and no label knows this class yet: a new folder proposes it.
    """

    row: RowId
    name: str
    place: str
    file: File
    is_proposed: bool


class Noted(NamedTuple):
    """Where a photo is now, or what lies there now; it says nothing about its class."""

    row: RowId
    place: str
    file: File


class TakenBack(NamedTuple):
    """A person put a photo back where it was filed, so the label in force is taken back."""

    row: RowId
    place: str
    file: File


class Why(StrEnum):
    """Why a question is asked."""

    FOLDER = "a folder was moved or renamed"
    MANY = "many photos of one class were moved"
    INTERRUPTED = "the output was away, restored or exchanged"


class Question(NamedTuple):
    """Moves that a program may have made: labels, a class renamed, or nothing? Asked once.

    Attributes:
        why: it is asked.
        left: the folder that was moved, or the class that was left; empty for an interruption.
        entered: the folder's new path; empty if photos went to several places.
        rows: of the photos.
    """

    why: Why
    left: str
    entered: str
    rows: frozenset[RowId]


@dataclass(slots=True)
class Findings:
    """All that one look found.

    Attributes:
        labels: a person said a class.
        taken_back: a person took their word back.
        noted: photos at another place, or with other bytes.
        gone: rows whose photo is not in its place, and not at one other place.
        questions: what has to be asked.
        sightings: what the next look has to be given.
    """

    labels: list[Label] = field(default_factory=list)
    taken_back: list[TakenBack] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    gone: list[RowId] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    sightings: Mapping[RowId, Sighting] = field(default_factory=dict)
