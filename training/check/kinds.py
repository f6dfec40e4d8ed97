"""What a finding is, the kinds of them, and the words that people read about each."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What can be found; the order is that of every list. The values stand in findings.json."""

    UNLISTED = "unlisted-folder"
    UNREADABLE = "unreadable"
    BLANK = "blank"
    CONFLICT = "two-labels"
    LEAK = "leak"
    SUSPECT = "suspect-label"
    WRONG_TYPE = "wrong-type"
    DUPLICATE = "duplicate"
    NEAR = "near-duplicate"
    TINY = "tiny"
    SIZE = "odd-size"
    ASPECT = "odd-aspect"
    BALANCE = "balance"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    photos: numbers of the photos in the dataset; twins stand together in one finding. detail: the rest, in words.
    facts: plain values that a script would read.
    """

    kind: Kind
    photos: tuple[int, ...]
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Words:
    """How a kind is called, what it means and what to do.

    fault: it harms a training or its figures for certain; the others are hints that a person should look at.
    """

    title: str
    advice: str
    fault: bool = False


WORDS: dict[Kind, Words] = {
    Kind.UNLISTED: Words(
        "Folders that cannot be listed", "Their photos are missing from everything here. Check permissions.", True
    ),
    Kind.UNREADABLE: Words(
        "Unreadable files", "Training leaves them out. Fetch them again, or move them aside with --quarantine.", True
    ),
    Kind.BLANK: Words("Blank pictures", "One single colour teaches nothing. Move them aside with --quarantine.", True),
    Kind.CONFLICT: Words(
        "The same photo under two labels", "At most one of the labels can be right. Keep that one.", True
    ),
    Kind.LEAK: Words(
        "The same photo in two splits",
        "A model is praised for remembering it. Training leaves out its own copy; better keep one only.",
        True,
    ),
    Kind.SUSPECT: Words(
        "Suspected wrong labels",
        "A classifier that never saw the photo is sure of another class. Look at each; some photos are just hard.",
    ),
    Kind.WRONG_TYPE: Words(
        "Files of another type than their name says",
        "They are read by content and do no harm here; other programs may refuse them. Rename them.",
    ),
    Kind.DUPLICATE: Words("Exact duplicates", "They count twice in training and in every figure. Keep one of each."),
    Kind.NEAR: Words(
        "Near duplicates", "The same picture, saved anew or resized. Keep the best of each, unless it is a burst."
    ),
    Kind.TINY: Words("Tiny pictures", "Too few pixels to show much. Fetch larger ones, or leave them out."),
    Kind.SIZE: Words("Odd sizes", "Far larger or smaller than the rest: often a thumbnail, a logo or a scan."),
    Kind.ASPECT: Words("Odd proportions", "Long strips are bent badly into a square. Crop them, or use letterbox."),
    Kind.BALANCE: Words(
        "Class balance", "Small classes are learnt worst and measured worst. Add photos, or judge them by recall."
    ),
}
