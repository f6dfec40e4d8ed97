"""The broad network as a file: weights of MobileNetV2 whose features stayed broad, and what belongs to its features.

It is an uncompressed .npz of plain arrays, without pickles, and a JSON text that says what it is. Its id is a hash of
weights, projection, geometry, size and precision: embeddings can be compared only under one id.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.publish import publish_bytes
from contract.geometry import Geometry
from training.errors import WeightsError

CARD, PROJECTION, BACKGROUND = "card", "projection", "background"
FORMAT = 1
ID_LETTERS = 16


@dataclass(frozen=True, eq=False)
class BroadNetwork:
    """The broad network.

    Attributes:
        geometry: how a photo becomes its input.
        weights: of the backbone, in the order of Keras's `get_weights`.
        projection: float32 [features, D]; a photo's embedding is its features times this, at unit length.
        background: float32 [B, F], centres at unit length of all kinds of photos, against which the familiarity of a
            photo is measured; none in a file of an earlier version. It changes no feature, so the id does not hold it.
        card: what it was made from, as plain values.
    """

    geometry: Geometry
    weights: tuple[NDArray[Any], ...]
    projection: NDArray[np.float32]
    background: NDArray[np.float32]
    card: Mapping[str, Any]

    @property
    def precision(self) -> str:
        """`fp16` or `fp32`, as the weights are stored."""
        return "fp16" if self.weights[0].dtype == np.float16 else "fp32"

    @property
    def id(self) -> str:
        """Hash of all that decides its features and embeddings."""
        found = hashlib.sha256(f"{FORMAT} {self.geometry.id} {self.geometry.size_px} {self.precision}".encode())
        for array in (*self.weights, self.projection):
            found.update(f"{array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:ID_LETTERS]

    def to_bytes(self) -> bytes:
        """The file; the same network gives the same bytes."""
        about = {
            "format": FORMAT,
            "id": self.id,
            "geometry": self.geometry.id,
            "size_px": self.geometry.size_px,
            "precision": self.precision,
            "made": dict(self.card),
        }
        arrays: dict[str, NDArray[Any]] = {f"weight_{place:03}": array for place, array in enumerate(self.weights)}
        arrays[CARD] = np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)
        arrays[PROJECTION] = self.projection
        arrays[BACKGROUND] = self.background.astype(self.weights[0].dtype)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()


def write_broad(path: Path, network: BroadNetwork) -> None:
    """Write the file atomically."""
    publish_bytes(path, network.to_bytes())


def read_broad(path: Path) -> BroadNetwork:
    """Read a broad network and check its id.

    Raises:
        WeightsError: it is missing, damaged, or of a later version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file[CARD].tobytes())
            if about["format"] != FORMAT:
                raise WeightsError(
                    f"{path} has format {about['format']}, but this version reads {FORMAT}. Update phototriage."
                )
            names = sorted(name for name in file.files if name.startswith("weight_"))
            network = BroadNetwork(
                Geometry.from_id(about["geometry"], about["size_px"]),
                tuple(file[name] for name in names),
                file[PROJECTION],
                _background(file, file[PROJECTION].shape[0]),
                about["made"],
            )
    except OSError as error:
        raise WeightsError(f"The broad network {path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no broad network, or is damaged ({error}). Make it again.") from error
    if network.id != about["id"]:
        raise WeightsError(f"The broad network {path} is damaged: its content is not that of its id. Copy it again.")
    return network


def _background(file: Any, features: int) -> NDArray[np.float32]:
    if BACKGROUND not in file.files:
        return np.zeros((0, features), np.float32)
    rows: NDArray[np.float32] = file[BACKGROUND].astype(np.float32)
    return rows


def embed(features: NDArray[np.float32], projection: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings of pooled features, float32 [N, D], at unit length."""
    return unit_length(unit_length(features) @ projection)


def unit_length(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: NDArray[np.float32] = rows / np.maximum(lengths, np.float32(1e-12))
    return divided


def fit_projection(features: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Fit the directions that keep most of the products between unit-length features (an uncentred PCA).

    Args:
        features: float32 [N, F], pooled.
        dimensions: D, at most F.

    Returns:
        float32 [F, D] with orthonormal columns, each with its largest entry positive.
    """
    rows = unit_length(features).astype(np.float64)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    chosen = vectors[:, ::-1][:, :dimensions]
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(chosen.shape[1])])
    directions: NDArray[np.float32] = (chosen * signs).astype(np.float32)
    return directions


def rounded(weights: Sequence[NDArray[np.float32]], precision: str) -> tuple[NDArray[Any], ...]:
    """The weights as they are stored."""
    return tuple(array.astype(np.float16 if precision == "fp16" else np.float32) for array in weights)
