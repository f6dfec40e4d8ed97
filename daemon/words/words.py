"""All words of people that are in force, so that one look finds what was said of a photo.

A reading thread asks for each photo, so a look costs microseconds: a search among sorted hashes for the same bytes, one
comparison of all difference hashes for nearly the same pixels, and all that is dearer only for the few that are near.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contract.fingerprint import MAX_BITS, MAX_THUMBNAIL_DIFFERENCE, difference_hash, fingerprint_of
from contract.geometry import Pixels
from daemon.photo import Embedding
from daemon.words.word import Known, Word

LEAST_COSINE = 0.95
"""Of the embeddings of near duplicates."""
TAKEN_WITHIN_S = 3600.0
"""How far apart near duplicates were taken at most, unless their files have one name."""
MOST_LIKE = 100_000
"""Of so many photos near duplicates are known, the latest of each id: about 0.6 kB each. Bytes are known of all."""
_Kind = tuple[str, int]


class Words:
    """Words by the photos that they are about; never changes, so that any thread may ask.

    Args:
        words: in the order in which they were said: of two about the same bytes, the later one counts.
    """

    def __init__(self, words: Iterable[Word] = ()) -> None:
        digests, said = bytearray(), list[str]()
        labels: dict[str, str] = {}  # one object for each class, not one for each photo
        alike: defaultdict[_Kind, deque[Word]] = defaultdict(lambda: deque(maxlen=MOST_LIKE))
        for word in words:
            digests += bytes.fromhex(word.sha256)
            said.append(labels.setdefault(word.label, word.label))
            if word.fingerprint is not None and word.fingerprint.tells and word.embedding is not None:
                alike[_kind(word.embedding)].append(word)
        every = np.frombuffer(digests, "S32")
        order = every.argsort(kind="stable")
        self._digests, self._said = every[order], [said[place] for place in order.tolist()]
        self._alike = {kind: _Alike(some) for kind, some in alike.items()}

    def __len__(self) -> int:
        return len(self._said)

    @property
    def need_dates(self) -> bool:
        """Whether it counts when a photo was taken."""
        return bool(self._alike)

    def of_content(self, sha256: str) -> Known | None:
        """Return what was said of the photo with these bytes."""
        wanted = np.frombuffer(bytes.fromhex(sha256), "S32")[0]
        place = int(self._digests.searchsorted(wanted, side="right")) - 1
        return Known(self._said[place]) if place >= 0 and self._digests[place] == wanted else None

    def of_like(self, pixels: Pixels, embedding: Embedding, taken: datetime | None, name: str) -> Known | None:
        """Return what was said of photos that nearly equal this one.

        Args:
            pixels: uint8 [S, S, 3], as the model gets them.
            embedding: by the model in use; only photos with embeddings of its id are compared.
            taken: capture time, local to the camera; None if that is not known.
            name: of the file.
        """
        alike = self._alike.get(_kind(embedding))
        return None if alike is None else alike.find(pixels, embedding, taken, name)


class _Alike:
    """Photos that can be compared, because their embeddings have one id."""

    def __init__(self, words: Iterable[Word]) -> None:
        known = [(one, one.fingerprint, one.embedding) for one in words if one.fingerprint and one.embedding]
        self._hashes = np.array([mark.bits for _, mark, _ in known], np.uint64)
        self._thumbnails = np.frombuffer(b"".join(mark.thumbnail for _, mark, _ in known), np.uint8)
        self._thumbnails = self._thumbnails.reshape(len(known), -1)
        self._embeddings = np.stack([_values(embedding) for _, _, embedding in known])
        self._taken_s = np.array([_seconds(word.taken) for word, _, _ in known])
        self._said = [Known(word.label, word.name) for word, _, _ in known]

    def find(self, pixels: Pixels, embedding: Embedding, taken: datetime | None, name: str) -> Known | None:
        """Return what was said of photos that look the same, if it is one class, and one of them is of the same hour
        or name.
        """
        bits = np.uint64(difference_hash(pixels))
        near = np.flatnonzero(np.bitwise_count(self._hashes ^ bits) <= MAX_BITS)
        if not len(near):
            return None
        mine = fingerprint_of(pixels)
        if not mine.tells:
            return None
        near = near[self._look_the_same(near, mine.thumbnail, embedding)]
        found = [self._said[place] for place in near.tolist()]
        if len({known.label for known in found}) != 1:
            return None
        in_the_hour = np.abs(self._taken_s[near] - _seconds(taken)) <= TAKEN_WITHIN_S
        fit = [known for known, timely in zip(found, in_the_hour.tolist(), strict=True) if timely or known.like == name]
        return fit[-1] if fit else None

    def _look_the_same(self, near: NDArray[np.intp], thumbnail: bytes, embedding: Embedding) -> NDArray[np.bool_]:
        colours = np.frombuffer(thumbnail, np.uint8).astype(np.int16)
        apart = np.abs(self._thumbnails[near] - colours).mean(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):  # a value beyond float16 is no embedding, and compares false
            cosines = self._embeddings[near].astype(np.float32) @ _values(embedding).astype(np.float32)
            same: NDArray[np.bool_] = (apart <= MAX_THUMBNAIL_DIFFERENCE) & (cosines >= LEAST_COSINE)
        return same


def _kind(embedding: Embedding) -> _Kind:
    return embedding.id, len(embedding.values)


def _values(embedding: Embedding) -> NDArray[np.float16]:
    return np.frombuffer(embedding.values, "<f2")


def _seconds(taken: datetime | None) -> float:
    """Return a time of a camera's clock as a number; NaN, which is near to none, if it is not known."""
    return float("nan") if taken is None else taken.replace(tzinfo=UTC).timestamp()


EMPTY = Words()
"""What is known before anybody said anything."""
