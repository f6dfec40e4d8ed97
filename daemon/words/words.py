"""All words of people that are in force, so that one look finds what was said of a photo.

A reading thread asks for each photo, so a look costs microseconds: a search among sorted hashes for the same bytes, one
comparison of all difference hashes for nearly the same pixels, and all that is dearer only for the few that are near.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from contract.fingerprint import MAX_BITS, MAX_THUMBNAIL_DIFFERENCE, SIDE, Fingerprint, difference_hash, fingerprint_of
from contract.geometry import Pixels
from daemon.photo import Embedding
from daemon.words.word import Known, Word

LEAST_COSINE = 0.95
"""Of the embeddings of near duplicates."""
TAKEN_WITHIN_S = 3600.0
"""How far apart near duplicates were taken at most, unless their files have one name."""
MOST_LIKE = 100_000
"""Of so many photos near duplicates are known, the latest of each id: about 0.6 kB each. Bytes are known of all."""
_HEAD = struct.Struct("<Qd")
_Kind = tuple[str, int]


class Words:
    """Words by the photos that they are about; never changes, so that any thread may ask.

    Args:
        words: in the order in which they were said: of two about the same bytes, the later one counts.
    """

    def __init__(self, words: Iterable[Word] = ()) -> None:
        digests, said = bytearray(), list[str]()
        labels: dict[str, str] = {}  # one object for each class, not one for each photo
        rows: dict[_Kind, _Rows] = {}
        for word in words:
            label = labels.setdefault(word.label, word.label)
            digests += bytes.fromhex(word.sha256)
            said.append(label)
            if word.fingerprint is not None and word.fingerprint.tells and word.embedding is not None:
                kind = _kind(word.embedding)
                if kind not in rows:
                    rows[kind] = _Rows(len(word.embedding.values))
                rows[kind].add(Known(label, word.name), word.fingerprint, word.embedding, word.taken)
        every = np.frombuffer(digests, "S32")
        order = every.argsort(kind="stable")
        self._digests, self._said = every[order], [said[place] for place in order.tolist()]
        self._alike = {kind: _Alike(some) for kind, some in rows.items()}

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

    def may_know(self, embedding: Embedding) -> bool:
        """Tell by its embedding alone whether `of_like` can find anything for a photo, so that it has to be decoded."""
        alike = self._alike.get(_kind(embedding))
        return alike is not None and alike.is_near(embedding)


class _Rows:
    """Gathers photos with embeddings of one kind in one buffer, because objects would take three times the memory.

    Args:
        embedding_bytes: length of an embedding.
    """

    def __init__(self, embedding_bytes: int) -> None:
        marks = [("bits", "<u8"), ("taken_s", "<f8"), ("thumbnail", "u1", (3 * SIDE * SIDE,))]
        self._record = np.dtype([*marks, ("embedding", "<f2", (embedding_bytes // 2,))])
        self._packed, self._said = bytearray(), list[Known]()

    def add(self, said: Known, mark: Fingerprint, embedding: Embedding, taken: datetime | None) -> None:
        """Add a photo; the oldest are left out if there are too many."""
        self._packed += _HEAD.pack(mark.bits, _seconds(taken)) + mark.thumbnail + embedding.values
        self._said.append(said)
        if len(self._said) >= 2 * MOST_LIKE:
            self._leave_out(len(self._said) - MOST_LIKE)

    def end(self) -> tuple[NDArray[np.void], list[Known]]:
        """Return the latest photos, and what was said of them."""
        self._leave_out(max(0, len(self._said) - MOST_LIKE))
        return np.frombuffer(self._packed, self._record), self._said

    def _leave_out(self, count: int) -> None:
        del self._packed[: count * self._record.itemsize]
        del self._said[:count]


class _Alike:
    """Photos that can be compared, because their embeddings have one id."""

    def __init__(self, rows: _Rows) -> None:
        self._rows, self._said = rows.end()
        self._hashes = np.ascontiguousarray(self._rows["bits"])  # all are compared with each photo that comes

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
        in_the_hour = np.abs(self._rows["taken_s"][near] - _seconds(taken)) <= TAKEN_WITHIN_S
        fit = [known for known, timely in zip(found, in_the_hour.tolist(), strict=True) if timely or known.like == name]
        return fit[-1] if fit else None

    def is_near(self, embedding: Embedding) -> bool:
        """Tell whether one of the photos has nearly this embedding."""
        return bool(self._are_near(slice(None), embedding).any())

    def _look_the_same(self, near: NDArray[np.intp], thumbnail: bytes, embedding: Embedding) -> NDArray[np.bool_]:
        colours = np.frombuffer(thumbnail, np.uint8).astype(np.int16)
        apart = np.abs(self._rows["thumbnail"][near] - colours).mean(axis=1)
        same: NDArray[np.bool_] = (apart <= MAX_THUMBNAIL_DIFFERENCE) & self._are_near(near, embedding)
        return same

    def _are_near(self, which: NDArray[np.intp] | slice, embedding: Embedding) -> NDArray[np.bool_]:
        values = np.frombuffer(embedding.values, "<f2").astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):  # a value beyond float16 is no embedding, and compares false
            near: NDArray[np.bool_] = self._rows["embedding"][which].astype(np.float32) @ values >= LEAST_COSINE
        return near


def _kind(embedding: Embedding) -> _Kind:
    return embedding.id, len(embedding.values)


def _seconds(taken: datetime | None) -> float:
    """Return a time of a camera's clock as a number; NaN, which is near to none, if it is not known."""
    return float("nan") if taken is None else taken.replace(tzinfo=UTC).timestamp()


EMPTY = Words()
"""What is known before anybody said anything."""
