"""Labels that take part in a training: which class and side each content has, and which photos they add to a dataset.

A photo is known by its bytes, wherever it lies. So a labelled photo that lies in a class folder of the dataset, too,
counts once, and a person's word about it goes before its folder. Nothing is copied: photos are read where they lie.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.text import printable
from contract.geometry import Geometry
from contract.labels import ENOUGH, OTHER, Side, check_labels
from training.dataset.cache import decode_all
from training.dataset.digests import Digests
from training.dataset.labelled.label_file import Label, labels_in
from training.dataset.layout import HELD_OUT, Photo
from training.errors import DatasetError
from training.progress import Reporter

Ints = NDArray[np.int64]
NO_CLASS = -1
_NO_FILE = "not where they lay, or not readable by this user"
_CHANGED = "edited since"
_UNREADABLE = "of damaged or unknown files"
_NEITHER = "near to photos of both sides"
_STRANGERS = f"of none of the classes (a class folder {OTHER} in the dataset lets them be learnt)"


@dataclass(frozen=True, slots=True)
class Said:
    """A label in force.

    Attributes:
        said: the class in words.
        side: what it is used for.
        group: stands for its group of near-duplicates.
        photo: where the photo lies; None if it is gone. Its class is not known yet.
    """

    said: str
    side: Side
    group: int
    photo: Photo | None


@dataclass(frozen=True)
class Labelled:
    """Labels in force, for a training.

    Attributes:
        name: of their file, without its folder.
        sha256: of its content.
        labels: the classes of the dataset and of the labels, sorted.
        added: those that the dataset does not have.
        classes: of each labelled content, its number in `labels`; NO_CLASS if it has none there.
        sides: of each labelled content.
        photos: the labelled photos that can be read and have a class, in the split `train` or HELD_OUT.
        left_out: why labels are left out, and how many.
    """

    name: str
    sha256: str
    labels: tuple[str, ...]
    added: tuple[str, ...]
    classes: Mapping[bytes, int]
    sides: Mapping[bytes, Side]
    photos: tuple[Photo, ...]
    left_out: Mapping[str, int]
    _firsts: NDArray[np.uint64] = field(repr=False)

    def found(self, hashes: Digests) -> Iterator[tuple[int, bytes]]:
        """Yield place and hash of each content of which something was said; a million photos take a second."""
        firsts = np.ascontiguousarray(hashes.rows).view(np.uint64)[:, 0]
        for place in np.flatnonzero(np.isin(firsts, self._firsts)).tolist():
            digest = hashes[place]
            if digest in self.classes:
                yield place, digest

    def places_of(self, side: Side, hashes: Digests) -> NDArray[np.bool_]:
        """Whether each content is of a label with that side, bool [N]."""
        chosen = np.zeros(len(hashes), np.bool_)
        chosen[[place for place, digest in self.found(hashes) if self.sides[digest] is side]] = True
        return chosen


def read_labelled(file: Path, known: Collection[str], geometry: Geometry, reporter: Reporter) -> Labelled:
    """Read labels and their photos, which go into the cache of decoded photos.

    Args:
        file: as `phototriage labels export` writes it. Of two labels of one content the last one counts.
        known: the classes of the dataset.

    Raises:
        DatasetError: the file is none of labels, or holds none.
        ContractError: a new class has the name of another one in other letters.
    """
    given = {bytes.fromhex(one.sha256): _said(one) for one in labels_in(file)}
    if not given:
        raise DatasetError(
            f"{printable(file)} holds no labels. Correct photos first (`phototriage labels`), or leave the labels out."
        )
    left_out: Counter[str] = Counter()
    usable = list(_usable(given, known, left_out))
    readable = _readable(usable, geometry, left_out, reporter)
    added = _new_classes([given[digest] for digest in readable], frozenset(known), left_out)
    if len({*known, *added}) < 2:
        few = "; ".join(f"{count:,} {why}" for why, count in left_out.items())
        raise DatasetError(
            f"Labels alone need two classes with {ENOUGH} different photos each, and {printable(file)} has"
            f" {len(added)}{f' (left out: {few})' if few else ''}. Label more photos, or pass a DATASET besides."
        )
    labels = check_labels(sorted({*known, *added}))
    numbers = {name: number for number, name in enumerate(labels)}
    classes = {digest: numbers.get(one.said, NO_CLASS) for digest, one in given.items()}
    return Labelled(
        name=file.name,
        sha256=_sha256(file),
        labels=labels,
        added=added,
        classes=classes,
        sides={digest: one.side for digest, one in given.items()},
        photos=tuple(_photo(given[digest], classes[digest]) for digest in readable if classes[digest] != NO_CLASS),
        left_out=left_out,
        _firsts=np.frombuffer(b"".join(given), np.uint64)[::4],
    )


def _said(one: Label) -> Said:
    side = Side.NEITHER if one.is_neither else Side.HELD_OUT if one.is_held_out else Side.LEARN
    photo = None if one.path is None else Photo(one.path, NO_CLASS)
    return Said(sys.intern(one.said), side, int(one.founder[:16], 16), photo)


def _usable(
    given: Mapping[bytes, Said], known: Collection[str], left_out: Counter[str]
) -> Iterator[tuple[bytes, Photo]]:
    """Yield the photos that are worth reading, by their hashes."""
    for digest, one in given.items():
        if one.side is Side.NEITHER:
            left_out[_NEITHER] += 1
        elif one.said == OTHER and OTHER not in known:
            left_out[_STRANGERS] += 1
        elif one.photo is None:
            left_out[_NO_FILE] += 1
        else:
            yield digest, one.photo


def _readable(
    photos: Sequence[tuple[bytes, Photo]], geometry: Geometry, left_out: Counter[str], reporter: Reporter
) -> list[bytes]:
    """The hashes of photos that lie where they lay, unchanged, and can be decoded."""
    with reporter.work("Reading labelled photos", len(photos)) as tick:
        decoded = decode_all((photo.path for _, photo in photos), geometry, tick)
    readable = []
    for (digest, _), row, found in zip(photos, decoded.rows, decoded.hashes, strict=True):
        if not found:
            left_out[_NO_FILE] += 1
        elif found != digest:
            left_out[_CHANGED] += 1
        elif row < 0:
            left_out[_UNREADABLE] += 1
        else:
            readable.append(digest)
    return readable


def _new_classes(readable: Sequence[Said], known: Collection[str], left_out: Counter[str]) -> tuple[str, ...]:
    """The classes that the dataset does not have, and that have enough photos of different groups."""
    groups: dict[str, set[int]] = {}
    counts: Counter[str] = Counter()
    for one in readable:
        if one.said not in known:
            groups.setdefault(one.said, set()).add(one.group)
            counts[one.said] += 1
    for name in sorted(groups):
        if len(groups[name]) < ENOUGH:
            left_out[f"of {printable(name)}, a new class with {len(groups[name])} of {ENOUGH} different photos"] += (
                counts[name]
            )
    return tuple(sorted(name for name, found in groups.items() if len(found) >= ENOUGH))


def _photo(one: Said, number: int) -> Photo:
    assert one.photo is not None  # or it was not read
    return one.photo.of(number).on(split_of(one.side))


def split_of(side: Side) -> str:
    """The split of a labelled photo that takes part; what is held out validates where other photos do, too."""
    return HELD_OUT if side is Side.HELD_OUT else "train"


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{printable(file)} cannot be read ({error.strerror}).") from error
