"""The frozen part of the broad network in ONNX Runtime: the trunk's output for a tail that learns, and broad features.

ONNX Runtime gives the same numbers for a photo in any batch and with any number of threads, and twice as many a second
as Keras on a CPU. The file is exported once, and lies in the cache beside the features.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.packages import installed_versions
from common.publish import publish_bytes
from contract.geometry import Pixels
from training.dataset.cache import cache_root
from training.dataset.samples import Samples
from training.network.weights import InitialWeights
from training.recipe.backbones import block_starts
from training.recipe.recipe import Recipe

OPSET = 17
DIGEST = 32  # bytes of SHA-256 behind the export, because a damaged one could compute anything
BATCH = 32  # photos a call: more need more memory and are no faster
_IMAGES, _TRUNK, _FEATURES = "images", "trunk", "features"

Maps = NDArray[np.float32]


class Trunk:
    """The blocks of the broad network that do not learn.

    Args:
        session: an ONNX Runtime session of `_export`.
        threads: photos computed at the same time; each takes one core.
    """

    def __init__(self, session: Any, threads: int) -> None:
        self._session, self._threads = session, threads

    @property
    def width(self) -> int:
        """Number of broad features, F."""
        return int(next(item.shape[-1] for item in self._session.get_outputs() if item.name == _FEATURES))

    def maps(self, images: Pixels) -> Maps:
        """Output of the trunk: uint8 [N, S, S, 3] -> float32 [N, S/16, S/16, channels], on one core."""
        return self._run(_TRUNK, images)

    def features(self, images: Pixels) -> NDArray[np.float32]:
        """Pooled broad features: uint8 [N, S, S, 3] -> float32 [N, F], on one core."""
        return self._run(_FEATURES, images)

    def each(
        self, compute: Callable[[Pixels], NDArray[np.float32]], samples: Samples
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Compute all samples on all cores, and yield (which samples, their values) in order; holds a few batches."""
        places = [slice(start, min(start + BATCH, len(samples.rows))) for start in range(0, len(samples.rows), BATCH)]

        def one(place: slice) -> NDArray[np.float32]:
            return compute(np.stack([samples.pixels[row] for row in samples.rows[place]]))

        with ThreadPoolExecutor(self._threads, "trunk") as pool:
            for start in range(0, len(places), 4 * self._threads):
                chunk = places[start : start + 4 * self._threads]
                yield from zip(chunk, pool.map(one, chunk), strict=True)

    def _run(self, output: str, images: Pixels) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self._session.run([output], {_IMAGES: images})[0]
        return values


def open_trunk(recipe: Recipe, weights: InitialWeights) -> Trunk:
    """Open the trunk of a recipe whose last blocks may learn; it is exported at the first use."""
    threads = len(os.sched_getaffinity(0))
    made_with = sorted(installed_versions(("tensorflow", "tf2onnx", "onnxruntime", "onnxruntime-gpu")).items())
    key = hashlib.sha256(f"{weights.sha256} {recipe.fine_tune.blocks} {OPSET} {made_with}".encode()).hexdigest()
    file = cache_root() / "features" / f"{key}.trunk"
    session = _kept(file)
    if session is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        data = _export(recipe, weights.file)
        publish_bytes(file, data + hashlib.sha256(data).digest())
        session = _session(data)
    return Trunk(session, threads)


def _kept(file: Path) -> Any | None:
    """A session of an earlier export; None if there is none, or if the file is damaged."""
    try:
        whole = file.read_bytes()
    except FileNotFoundError:
        return None
    data, digest = whole[:-DIGEST], whole[-DIGEST:]
    return _session(data) if hashlib.sha256(data).digest() == digest else None


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _export(recipe: Recipe, weights: Path) -> bytes:
    """Export trunk and broad features for photos of any size that is a multiple of 32."""
    import tensorflow as tf
    import tf2onnx

    from training.network.network import build

    size = recipe.input.size_px
    model = build(recipe, 1, weights)
    both = split_outputs(model, recipe)
    spec = tf.TensorSpec([None, size, size, 3], tf.uint8, name=_IMAGES)

    @tf.function(input_signature=[spec])
    def describe(images: Any) -> dict[str, Any]:
        trunk, last = both(model.get_layer("scale")(images), training=False)
        return {_TRUNK: trunk, _FEATURES: tf.reduce_mean(last, axis=[1, 2])}

    proto = tf2onnx.convert.from_function(describe, input_signature=[spec], opset=OPSET)[0]
    return _of_any_size(proto)


def split_outputs(model: Any, recipe: Recipe) -> Any:
    """The backbone of a network with two outputs: of its frozen blocks, and of all blocks."""
    import keras

    base = model.get_layer("base")
    return keras.Model(base.input, [cut(base, recipe), base.output])


def cut(base: Any, recipe: Recipe) -> Any:
    """The tensor between the blocks that stay frozen and those that may learn."""
    blocks = recipe.fine_tune.blocks
    first = block_starts([layer.name for layer in base.layers])[-blocks] if blocks else len(base.layers)
    return base.layers[first - 1].output


def _of_any_size(proto: Any) -> bytes:
    """Name the sides of the photos instead of fixing them: no operator of the graph depends on them."""
    del proto.graph.value_info[:]
    for value in (*proto.graph.input, *proto.graph.output):
        for place, side in enumerate(value.type.tensor_type.shape.dim[:-1]):
            side.dim_param = f"{value.name}_{place}"
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
