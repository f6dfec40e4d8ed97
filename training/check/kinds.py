"""Findings, their kinds, and the text of each kind."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SHOWN_PHOTOS = 4
"""Photos of one finding that are shown."""


class Kind(StrEnum):
    """Kinds of findings, in the order of all lists. The values are written to findings.json."""

    UNLISTED = "unlisted-folder"
    UNREADABLE = "unreadable"
    BLANK = "blank"
    CONFLICT = "two-labels"
    LEAK = "leak"
    FROM_WEB = "from-web"
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
    """One finding.

    Attributes:
        photos: indices of the photos in the dataset; near duplicates share a finding.
        detail: description in words.
        facts: plain values for scripts.
    """

    kind: Kind
    photos: tuple[int, ...]
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KindText:
    """Title of a kind, its meaning and its cure.

    Attributes:
        fault: whether it certainly harms a training or its metrics; other kinds are hints to check.
    """

    title: str
    advice: str
    fault: bool = False


KIND_TEXTS: dict[Kind, KindText] = {
    Kind.UNLISTED: KindText(
        "Folders that cannot be listed or followed",
        "Their photos are missing in this check. Check permissions, and copy what is linked.",
        True,
    ),
    Kind.UNREADABLE: KindText(
        "Unreadable files", "Training skips them. Copy them again, or move them away with --quarantine.", True
    ),
    Kind.BLANK: KindText(
        "Blank pictures", "A network learns nothing from a single colour. Move them away with --quarantine.", True
    ),
    Kind.CONFLICT: KindText(
        "The same photo under two labels", "At most one of the labels is right. Keep that photo only.", True
    ),
    Kind.LEAK: KindText(
        "The same photo in two splits",
        "A model is measured on a photo that it has memorised. Training skips its copy; better keep only one.",
        True,
    ),
    Kind.FROM_WEB: KindText(
        "Photos from the web without a licence, or held out",
        "Put the sources.csv of their collection into the class folder. Move what is to validate or test with to the"
        " training photos: it says nothing about your own.",
        True,
    ),
    Kind.SUSPECT: KindText(
        "Suspected wrong labels",
        "A classifier that never saw the photo is sure of another class. Check each one: some photos are only hard.",
    ),
    Kind.WRONG_TYPE: KindText(
        "Files of another type than their name says",
        "phototriage recognises them by content, but other programs may refuse them. Rename them.",
    ),
    Kind.DUPLICATE: KindText("Exact duplicates", "They count twice in training and in every figure. Keep one of each."),
    Kind.NEAR: KindText(
        "Near duplicates", "The same picture, saved again or resized. Keep the best of each, unless it is a burst."
    ),
    Kind.TINY: KindText("Tiny pictures", "They have too few pixels to show much. Find larger ones, or leave them out."),
    Kind.SIZE: KindText(
        "Odd sizes", "They are far larger or smaller than the rest: often a thumbnail, a logo or a scan."
    ),
    Kind.ASPECT: KindText(
        "Odd proportions", "A square distorts long strips. Crop them, or use the geometry letterbox."
    ),
    Kind.BALANCE: KindText(
        "Class balance", "Small classes are learnt and measured worst. Add photos, or judge them by recall."
    ),
}
