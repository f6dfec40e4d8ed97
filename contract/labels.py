"""Labels become folders, so each is a safe folder name on every system; and what labelled photos are used for."""

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from common.errors import ContractError
from common.strict_json import short_repr

HELD_OUT_OF = 5
"""One of so many groups of labelled photos is held out."""

ENOUGH = 10
"""Photos of different groups from which a class that no model knows is learnt."""

MAX_LABEL_BYTES = 100
FOLDERS_BESIDE_CLASSES = ("_failed", "_review", "_duplicates")
"""Folders of a sorted output that are no classes: unreadable photos, unsure ones, second copies."""
OTHER = "_other"
"""Class of pictures that belong to no class: a model may learn it, and what it judges to be of it goes to review."""
MARKER = ".phototriage"
"""Name of the file by which phototriage knows an inbox or an output again."""
SPLIT_NAMES = {
    "train": ("train", "training", "seg_train"),
    "val": ("val", "valid", "validation", "dev", "seg_val"),
    "test": ("test", "testing", "seg_test"),
}
"""Splits of a dataset, and the names of their folders."""
_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{name}{digit}" for name in ("com", "lpt") for digit in "123456789"))
)
_FORBIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels unchanged, in order, or raise ContractError naming the first one that cannot be a folder.

    A label is one path component in NFC, at most 100 bytes of UTF-8, and unique without regard to case. It has no
    leading dot (hidden) or underscore (reserved: `_failed`, `_review`; but `_other` is a class), no control characters,
    and neither characters nor device names that Windows forbids.
    """
    if isinstance(labels, str):
        raise ContractError(f"Labels are a list of names, not one text: {short_repr(labels)}.")
    if len(labels) < 2:
        raise ContractError(f"A classifier needs at least two labels, and this one has {len(labels)}.")
    seen: dict[str, str] = {}
    for label in labels:
        fault = None if label == OTHER else fault_of(label)
        if fault:
            raise ContractError(
                f"The label {short_repr(label)} cannot be the name of a folder: {fault}. Rename the class."
            )
        twin = seen.get(label.casefold())
        if twin is not None:
            raise ContractError(
                f"The labels {twin!r} and {label!r} are one folder on systems that ignore case. Rename one."
            )
        seen[label.casefold()] = label
    return tuple(labels)


def fault_of(label: object) -> str | None:
    """Return why a label cannot be the name of a folder, as the rest of a sentence; None if it can."""
    if not isinstance(label, str):
        return "it is not text"
    if not label.strip():
        return "it is empty"
    if label != label.strip() or label.endswith("."):
        return "it begins or ends with a space, or ends with a dot"
    if label[0] in "._":
        return "it begins with a dot or an underscore"
    if any(character in _FORBIDDEN for character in label):
        return "it holds one of " + " ".join(sorted(_FORBIDDEN))
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in label):
        return "it holds a control or invisible character"
    if label.split(".")[0].rstrip().casefold() in _RESERVED:
        return "Windows keeps that name for a device"
    if not unicodedata.is_normalized("NFC", label):
        return "it is not in Unicode normal form C"
    if len(label.encode()) > MAX_LABEL_BYTES:
        return f"it is longer than {MAX_LABEL_BYTES} bytes"
    return None


class Side(StrEnum):
    """What a group of labelled photos is used for."""

    LEARN = "learn"
    HELD_OUT = "held out"
    NEITHER = "neither"


def side_of(founder: str) -> Side:
    """Draw the side of a group from the SHA-256 of the photo that founds it, hexadecimal."""
    return Side.HELD_OUT if int(founder[:8], 16) % HELD_OUT_OF == 0 else Side.LEARN
