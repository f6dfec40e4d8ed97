"""Thumbnails inside a page: decoded by `contract.geometry`, encoded again, and limited in number."""

import base64
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import PhotoError
from common.html import Html, h
from contract.geometry import Geometry, to_input

SIDE_PX = 128
QUALITY = 72


class Thumbnails:
    """Thumbnails as data URIs, at most `limit` of them, each made once.

    They contain only pixels: no EXIF, location, camera or colour profile.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._made: dict[Path, str | None] = {}

    def want(self, photos: Iterable[Path]) -> None:
        """Make the thumbnails of these photos in threads, up to the limit."""
        fresh = list(dict.fromkeys(photo for photo in photos if photo not in self._made))[: max(0, self._left)]
        if not fresh:
            return
        self._left -= len(fresh)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "thumbnail") as pool:
            self._made.update(zip(fresh, pool.map(thumbnail, fresh), strict=True))

    def __contains__(self, photo: Path) -> bool:
        """Whether the photo was within the limit, even if it could not be read."""
        return photo in self._made

    def of(self, photo: Path) -> str | None:
        """The thumbnail as a data URI; None if the photo cannot be read or exceeded the limit."""
        return self._made.get(photo)


def thumbnail(photo: Path | bytes) -> str | None:
    """A JPEG of at most 128 x 128 pixels as a data URI, in the photo's own proportions; None if it cannot be read."""
    try:
        pixels = to_input(photo, Geometry("letterbox", SIDE_PX))
    except PhotoError:
        return None
    seen = pixels.max(axis=2) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if len(rows):  # crop the black bars of the letterbox; an all-black photo stays whole
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def picture(uri: str | None, words: str) -> Html:
    """The thumbnail of a photo, or an empty tile."""
    if uri is None:
        return h("div", h("span", "no picture here"), class_="gone", role="img", aria_label=words)
    return h("img", src=uri, alt=words, loading="lazy", decoding="async")
