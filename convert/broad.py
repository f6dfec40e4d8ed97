"""The broad network alone as ONNX: photos in, features and embeddings out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from contract.geometry import Pixels
from contract.metadata import INPUT_NAME
from convert import export
from convert.clean import clean, node_counts
from convert.errors import UNCHANGED, ExportError
from convert.gate import open_on_cpu
from convert.photos import parity_photos
from convert.pipeline import Say, check_output, in_words, publish
from training.network.broad_network import BroadNetwork, embed, read_broad, unit_length

FEATURES, EMBEDDING = "features", "embedding"
METADATA_KEY = "phototriage.broad"
TOLERANCE = 1e-4
"""Largest difference of one value of a feature or embedding, all of which have unit length."""
PHOTOS = 64
_CHUNK = 32


@dataclass(frozen=True)
class BroadConversion:
    """A converted broad network.

    Attributes:
        output: the published file.
        id: of the broad network.
        size_bytes: size of the file.
        max_difference: between Keras and ONNX Runtime, over all values.
    """

    output: Path
    id: str
    size_bytes: int
    max_difference: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "output": str(self.output),
            "id": self.id,
            "size_bytes": self.size_bytes,
            "max_difference": self.max_difference,
        }


def convert_broad(file: Path, output: Path, say: Say) -> BroadConversion:
    """Convert a broad network into an ONNX file of its own.

    Its input is `images`, uint8 [batch, S, S, 3]. Its outputs are `features`, float32 [batch, F], and `embedding`,
    float32 [batch, D], both at unit length. The metadata key `phototriage.broad` holds id and geometry.

    Raises:
        PhototriageError: the file or the output cannot be used, or ONNX Runtime computes something else than Keras.
            `output` stays unchanged.
    """
    check_output(output)
    network = read_broad(file)
    say("network", f"{file}: id {network.id}, {network.geometry.size_px} px, {network.geometry.id}")
    export.keras_on_cpu()
    from training.network.network import broad_features

    model = broad_features(network.geometry.size_px, file)
    exported = _export(model, network)
    cleaned = clean(exported)
    say("export", f"{sum(node_counts(cleaned).values())} nodes: {in_words(node_counts(cleaned))}")
    difference = _verify(cleaned, model, network)
    say("parity", f"max difference {difference:.1e} (limit {TOLERANCE:.0e}), {PHOTOS} drawn pictures")
    data = _stamped(cleaned, network)
    publish(output, data, {})
    return BroadConversion(output, network.id, len(data), difference)


def _export(model: Any, network: BroadNetwork) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    size = network.geometry.size_px
    spec = tf.TensorSpec([None, size, size, 3], tf.uint8, name=INPUT_NAME)

    @tf.function(input_signature=[spec])
    def describe(images: Any) -> dict[str, Any]:
        features = tf.math.l2_normalize(model(images, training=False), axis=1)
        return {FEATURES: features, EMBEDDING: tf.math.l2_normalize(features @ tf.constant(network.projection), axis=1)}

    return export.checked(tf2onnx.convert.from_function(describe, input_signature=[spec], opset=export.OPSET)[0])


def _verify(exported: onnx.ModelProto, model: Any, network: BroadNetwork) -> float:
    """Compare with Keras on drawn pictures; the projection is computed in numpy, independent of the export."""
    images = parity_photos([], network.geometry, PHOTOS).images
    session = open_on_cpu(exported.SerializeToString())
    worst = 0.0
    for start in range(0, PHOTOS, _CHUNK):
        chunk: Pixels = images[start : start + _CHUNK]
        features: NDArray[np.float32] = model(chunk, training=False).numpy()
        wanted = (unit_length(features), embed(features, network.projection))
        got = session.run([FEATURES, EMBEDDING], {INPUT_NAME: chunk})
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(wanted, got, strict=True)))
    if not worst < TOLERANCE:  # written this way, NaN is refused too
        raise ExportError(
            f"The export differs from Keras by {worst:.1e}, but at most {TOLERANCE:.0e} is allowed. {UNCHANGED}"
        )
    return worst


def _stamped(model: onnx.ModelProto, network: BroadNetwork) -> bytes:
    about = {
        "id": network.id,
        "geometry": network.geometry.id,
        "size_px": network.geometry.size_px,
        "precision": network.precision,
        "made": dict(network.card),
    }
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(about, sort_keys=True)})
    data: bytes = export.checked(model).SerializeToString(deterministic=True)
    return data
