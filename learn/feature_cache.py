"""Features of photos by content, kept between two calls: reading a photo costs a thousand times as much.

A value is one byte, because the features are at least 0. The file is a cache: without it, or damaged, the photos are
read again.
"""

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.publish import publish_bytes
from learn.fitting.layer import Floats

MOST = 20_000
"""Photos that are kept, 2.6 kB each: those that were asked for last."""


def cache_folder() -> Path:
    """Folder of the caches of this user."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "phototriage" / "learn"


class FeatureCache:
    """Features of one network.

    Args:
        file: of the cache.
        width: number of features.
        parts: of how many vectors of unit length they are made.
    """

    def __init__(self, file: Path, width: int, parts: int) -> None:
        self._file, self._parts = file, parts
        self._rows: dict[str, NDArray[np.uint8]] = {}
        self._scales: dict[str, NDArray[np.float32]] = {}
        self._is_changed = False
        with suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), np.load(file, allow_pickle=False) as kept:
            if kept["rows"].shape[1] == width:
                for sha256, row, scales in zip(kept["sha256"].tolist(), kept["rows"], kept["scales"], strict=True):
                    self._rows[sha256], self._scales[sha256] = row, scales

    def get(
        self,
        wanted: Mapping[str, Iterable[Path]],
        compute: Callable[[Path], tuple[str, Floats] | None],
        threads: int,
        advance: Callable[[], None] = lambda: None,
    ) -> "Features":
        """Return the features of photos by SHA-256; photos that cannot be read, or have other bytes now, are left out.

        Args:
            wanted: where photos may lie, by SHA-256.
            compute: reads one photo: its SHA-256 and its features, float32 [F]; called in several threads.
            threads: how many read.
            advance: called for each photo that is done.
        """

        def _one(sha256: str) -> None:
            for path in wanted[sha256] if sha256 not in self._rows else ():
                found = compute(path)
                if found is not None and found[0] == sha256:
                    self._add(sha256, found[1])
                    break
            advance()

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_one, wanted))
        return Features(self, [sha256 for sha256 in wanted if sha256 in self._rows])

    def save(self, used: Iterable[str]) -> None:
        """Write the cache; what was used now is kept first."""
        if not self._is_changed:
            return
        first = [sha256 for sha256 in used if sha256 in self._rows]
        kept = list(dict.fromkeys([*first, *reversed(self._rows)]))[:MOST]
        file = io.BytesIO()
        np.savez(
            file, sha256=np.array(kept), rows=np.stack([self._rows[one] for one in kept]),
            scales=np.stack([self._scales[one] for one in kept]),
        )  # fmt: skip
        with suppress(OSError):  # a cache: then the photos are read again
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            publish_bytes(self._file, file.getvalue())

    def _add(self, sha256: str, features: Floats) -> None:
        vectors = features.reshape(self._parts, -1)
        scales = np.maximum(vectors.max(axis=1), 1e-12).astype(np.float32)
        rows = np.round(vectors / scales[:, None] * 255).astype(np.uint8).ravel()
        self._rows[sha256], self._scales[sha256], self._is_changed = rows, scales, True

    def of(self, sha256: str) -> Floats:
        """Return the features of a photo that is kept, float32 [F]."""
        vectors = self._rows[sha256].reshape(self._parts, -1).astype(np.float32) * (
            self._scales[sha256][:, None] / np.float32(255)
        )
        features: Floats = vectors.ravel()
        return features


class Features(Mapping[str, Floats]):
    """Features of photos, float32 [F], by SHA-256. They stay packed, and each is unpacked when it is asked for.

    Args:
        cache: that keeps them.
        photos: that it has.
    """

    def __init__(self, cache: FeatureCache, photos: Iterable[str]) -> None:
        self._cache, self._photos = cache, dict.fromkeys(photos)

    def __getitem__(self, sha256: str) -> Floats:
        if sha256 not in self._photos:
            raise KeyError(sha256)
        return self._cache.of(sha256)

    def __iter__(self) -> Iterator[str]:
        return iter(self._photos)

    def __len__(self) -> int:
        return len(self._photos)
