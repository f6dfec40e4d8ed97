"""By what a photo is known again that was saved again: a difference hash, and a thumbnail of its colours.

Both are of the pixels that a network gets. Training keeps near duplicates on one side of a split by them, and the
daemon finds the photo again that a person labelled. Plain pictures and pages tell nothing: they have one hash with
thousands of others.
"""

import struct
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.geometry import Pixels

MAX_BITS = 3
"""Bits in which the hashes of near duplicates may differ."""
MAX_THUMBNAIL_DIFFERENCE = 6.0
"""Of 255, mean over a thumbnail; a photo that was saved again stays under 3."""
LEAST_CONTRAST = 3
"""Grey levels below which the hash is noise, or that of any smooth picture; 1 of 100 scenes has less, mostly seas."""
SIDE = 8
"""Of the thumbnail of a fingerprint: it tells photos apart as well as one of 16 x 16, and takes a quarter of it."""

_PAGE = 0.5  # share of the pixels that have nearly one tone
_TONES = 17  # of 256
_PACKED = struct.Struct(f"<QB?{3 * SIDE * SIDE}s")
_ACROSS, _DOWN = (one.ravel() for one in np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE)))
_SURFACE = np.stack([_ACROSS**0, _ACROSS, _DOWN, _ACROSS**2, _ACROSS * _DOWN, _DOWN**2], axis=1)
_ROUGH = np.eye(SIDE * SIDE) - _SURFACE @ np.linalg.pinv(_SURFACE)
"""Takes out of a thumbnail what is as smooth as a gradient or a vignette, which are surfaces of the second order."""


class Fingerprint(NamedTuple):
    """A photo in 202 bytes. Fingerprints can be compared if the pixels had the same geometry.

    Attributes:
        bits: difference hash, 64 bits.
        contrast: in grey levels, at most 255: from pixel to pixel in the rows that the hash compares, or of what is not
            smooth in the picture, whichever is less.
        is_page: whether most of it is empty, as in receipts, scans and screens.
        thumbnail: uint8 [SIDE, SIDE, 3] as bytes.
    """

    bits: int
    contrast: int
    is_page: bool
    thumbnail: bytes

    @property
    def tells(self) -> bool:
        """Whether a near duplicate can be known by it."""
        return self.contrast >= LEAST_CONTRAST and not self.is_page

    def to_bytes(self) -> bytes:
        """Return it packed, to be stored."""
        return _PACKED.pack(*self)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """Return what `to_bytes` packed; ValueError if the bytes are something else."""
        if len(packed) != _PACKED.size:
            raise ValueError(f"A fingerprint has {_PACKED.size} bytes, and these are {len(packed)}.")
        return cls(*_PACKED.unpack(packed))


def fingerprint_of(photo: Pixels) -> Fingerprint:
    """Return the fingerprint of a photo, uint8 [S, S, 3]."""
    steps = np.abs(np.diff(_grey(photo))).mean()
    small = thumbnail(photo, SIDE)
    rough = (_ROUGH @ small.mean(axis=2).ravel()).std()
    packed = small.astype(np.uint8).tobytes()
    return Fingerprint(difference_hash(photo), int(min(steps, rough, 255)), is_page(photo), packed)


def difference_hash(photo: Pixels) -> int:
    """Difference hash: each of 64 bits tells whether a pixel of the 9 x 8 grey thumbnail is darker than its neighbour.

    Re-encoding or resizing a photo flips a few bits; different photos differ in dozens.
    Source: N. Krawetz, "Kind of Like That", The Hacker Factor, 2013.
    """
    grey = _grey(photo)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes())


def thumbnail(photo: Pixels, side: int) -> NDArray[np.int16]:
    """Return the mean colours of a photo, int16 [side, side, 3], so that they can be subtracted."""
    return np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BOX), np.int16)


def is_page(photo: Pixels) -> bool:
    """Whether most of a picture is empty, uint8 [S, S, 3]."""
    counts = np.array(Image.fromarray(photo).convert("L").histogram())
    return bool(np.convolve(counts, np.ones(_TONES)).max() >= _PAGE * counts.sum())


def _grey(photo: Pixels) -> NDArray[np.int16]:
    return np.asarray(Image.fromarray(photo).convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
