"""A file of cached features: a NumPy array, memory-mapped, with its checksum behind it."""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_CRC_BYTES = 4
_CHUNK_ROWS = 4096


class DamagedFeaturesError(Exception):
    """A file of features is cut, changed, unreadable, or holds something else."""


def seal(file: Path, features: NDArray[np.float32]) -> None:
    """Append the checksum to a complete file. NumPy reads no further than the array."""
    with file.open("ab") as whole:
        whole.write(_checksum(features))


def open_features(file: Path, photos: int) -> NDArray[np.float32]:
    """Memory-map the features in a sealed file, float32 [photos, F], read-only.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFeaturesError: the file does not hold what was written.
    """
    try:
        features: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
        with file.open("rb") as whole:
            whole.seek(-_CRC_BYTES, 2)
            sealed = whole.read()
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise DamagedFeaturesError(str(error)) from error
    if features.shape[:1] != (photos,) or features.dtype != np.float32 or _checksum(features) != sealed:
        raise DamagedFeaturesError("its checksum does not hold")
    return features


def _checksum(features: NDArray[np.float32]) -> bytes:
    """CRC-32, computed a few rows at a time, because there may be a million."""
    crc = 0
    for start in range(0, len(features), _CHUNK_ROWS):
        crc = zlib.crc32(features[start : start + _CHUNK_ROWS].tobytes(), crc)
    return crc.to_bytes(_CRC_BYTES, "big")
