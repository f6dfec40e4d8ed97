"""What a new head knows as familiar: the centres of its root, and some for what people taught."""

from collections.abc import Sequence

import numpy as np

from contract.memory import Memory
from learn.fitting.layer import Floats, Ints, Layer
from learn.fitting.lessons import Said
from learn.model.base import Base, Head
from training.fit.familiarity import CENTRES, OTHERS, background_without
from training.network.centres import centres_of

MOST_ADDED = 50
"""Centres that the labels of one known class add."""


def familiarity_of(broad: Floats, centres: Floats, others: Floats) -> Floats:
    """Familiarity of broad features of unit length [N, B], [N]."""
    values: Floats = (broad @ centres.T).max(axis=1)
    if len(others):
        values = values - np.float32(OTHERS) * (broad @ others.T).max(axis=1, initial=0.0)
    return values


def taught_centres(root: Head, said: Said) -> tuple[Floats, Ints, Floats]:
    """Return the centres, their classes and the other kinds of photos, of a head that learnt these labels.

    A new class gets centres of its own. Of a known class, a photo that the root finds unfamiliar becomes a centre, so
    that photos like it are known next time. What looks like a taught class is no other kind of photo any more.

    Args:
        root: the head that learning begins from.
        said: the labels.
    """
    width = root.centres.shape[1]
    limit = root.contract.familiarity.threshold if root.contract.familiarity is not None else -1.0
    rows, classes, others = [root.centres], [root.classes], root.others
    for number, name in enumerate(said.classes):
        own = [one for one in said.taught if one.said == name]
        if not own:
            continue
        broad = said.rows(own)[:, -width:]
        if number < len(root.layer.bias):
            broad = broad[familiarity_of(broad, root.centres, root.others) < limit]
        most = MOST_ADDED if number < len(root.layer.bias) else CENTRES // len(said.classes)
        if len(broad):
            made = centres_of(broad, most, 0)
            others = background_without(broad, made, others) if len(others) else others
            rows.append(made)
            classes.append(np.full(len(made), number, np.int64))
    centres = np.concatenate(rows)
    if root.contract.precision == "fp16":  # as the graph holds them
        centres, others = (one.astype(np.float16).astype(np.float32) for one in (centres, others))
    return centres, np.concatenate(classes), others


def strangers_passing(
    base: Base, said: Said, memory: Memory | None, centres: tuple[Floats, Ints, Floats]
) -> tuple[int, int, int]:
    """How many pictures of no class pass as familiar, by the head that serves and by a new one, and of how many.

    They are those of the memory, without what an added class claims, and what a person called none of the classes.

    Args:
        base: the model that learns.
        said: the labels.
        memory: of its root.
        centres: of the new head, as `taught_centres` returns them.
    """
    width, familiarity = base.root.centres.shape[1], base.root.contract.familiarity
    broad: Floats = np.zeros((0, width), np.float32)
    if familiarity is None:
        return 0, 0, 0
    if memory is not None:
        broad = _unclaimed(memory.strangers(), centres, len(said.classes) - len(said.new), familiarity.threshold)
    if said.strangers:
        broad = np.concatenate([broad, said.rows(said.strangers)[:, -width:]])
    now = base.serving.centres, base.serving.classes, base.serving.others
    return _passing(broad, now, familiarity.threshold), _passing(broad, centres, familiarity.threshold), len(broad)


def _unclaimed(broad: Floats, head: tuple[Floats, Ints, Floats], known: int, limit: float) -> Floats:
    """Those that do not pass as one of the classes that were added to the known ones."""
    if not len(broad):
        return broad
    centres, classes, others = head
    nearest = classes[(broad @ centres.T).argmax(axis=1)]
    left: Floats = broad[(nearest < known) | (familiarity_of(broad, centres, others) < limit)]
    return left


def _passing(broad: Floats, head: tuple[Floats, Ints, Floats], limit: float) -> int:
    return int((familiarity_of(broad, head[0], head[2]) >= limit).sum()) if len(broad) else 0


def widened(layer: Layer, classes: Sequence[str]) -> Layer:
    """Return a layer with a column for each class."""
    return layer.widened(len(classes) - len(layer.bias))
