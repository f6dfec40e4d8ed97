"""Groups of labelled photos that are nearly the same, and which side each group is on: to learn from, or to test with.

A group weighs as one photo. Its side is drawn once, from the content of the photo that founds it, and never again, so
that no later label moves a photo from one side to the other. A photo near to groups of both sides is on neither.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.fingerprint import MAX_BITS, MAX_THUMBNAIL_DIFFERENCE, Fingerprint
from contract.labels import Side, side_of
from daemon.photo import Embedding
from daemon.words.words import LEAST_COSINE


class Group(NamedTuple):
    """The group of a photo.

    Attributes:
        founder: SHA-256 of the photo that founded it.
        side: what it is used for.
    """

    founder: str
    side: Side


class Member(NamedTuple):
    """A labelled photo that has a group.

    Attributes:
        group: of the photo.
        fingerprint: of the photo.
        embedding: of the photo.
    """

    group: Group
    fingerprint: Fingerprint
    embedding: Embedding


class Groups:
    """The groups of all labelled photos whose embeddings have one id.

    Args:
        members: in the order in which they were labelled.
    """

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._members: list[Member] = []
        self._bits: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._pending: list[int] = []
        for member in members:
            self._add(member)

    def join(self, sha256: str, fingerprint: Fingerprint, embedding: Embedding) -> Group:
        """Return the group of a new photo, which is a member from then on.

        Args:
            sha256: of the photo's content.
            fingerprint: of the photo.
            embedding: of the photo.
        """
        near = [member.group for member in self._near(fingerprint, embedding) if member.group.side is not Side.NEITHER]
        if not near:
            group = Group(sha256, side_of(sha256))
        elif len({group.side for group in near}) > 1:
            group = Group(near[0].founder, Side.NEITHER)
        else:
            group = near[0]
        self._add(Member(group, fingerprint, embedding))
        return group

    def _add(self, member: Member) -> None:
        self._members.append(member)
        self._pending.append(member.fingerprint.bits)

    def _near(self, fingerprint: Fingerprint, embedding: Embedding) -> list[Member]:
        if not fingerprint.tells:
            return []
        if self._pending:
            self._bits = np.concatenate([self._bits, np.array(self._pending, np.uint64)])
            self._pending.clear()
        apart = np.bitwise_count(self._bits ^ np.uint64(fingerprint.bits))
        found = (self._members[place] for place in np.flatnonzero(apart <= MAX_BITS).tolist())
        return [member for member in found if _is_alike(member, fingerprint, embedding)]


def _is_alike(member: Member, fingerprint: Fingerprint, embedding: Embedding) -> bool:
    if not member.fingerprint.tells or len(member.embedding.values) != len(embedding.values):
        return False
    one, other = (
        np.frombuffer(mark.thumbnail, np.uint8).astype(np.int16) for mark in (member.fingerprint, fingerprint)
    )
    if np.abs(one - other).mean() > MAX_THUMBNAIL_DIFFERENCE:
        return False
    values = (np.frombuffer(one.values, "<f2").astype(np.float32) for one in (member.embedding, embedding))
    return bool(np.dot(*values) >= LEAST_COSINE)
