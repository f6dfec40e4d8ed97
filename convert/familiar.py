"""Familiarity in the graph: its outputs, its gate, and what each precision changes about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.familiarity import Familiarity
from contract.geometry import Pixels
from contract.metadata import EMBEDDING_NAME, FAMILIARITY_NAME, INPUT_NAME, NEAREST_NAME, Precision
from convert.errors import UNCHANGED, EmbeddingMismatchError
from training.errors import RunError
from training.fit.familiarity import OTHERS, Centres, FamiliarityFile
from training.network.broad_network import unit_length
from training.run import FAMILIARITY, Run

TOLERANCE = 1e-4
"""Largest difference of an embedding's value or of a familiarity from Keras's."""
LAYERS = ("broad_features", "features")
"""Names of the layer with the broad features at unit length: beside a tail that learnt, and alone."""
_LOWEST = 0.2  # share of the least familiar photos, among which the threshold lies
_CHUNK = 32


@dataclass(frozen=True, eq=False)
class Familiar:
    """What a run says about familiarity.

    Attributes:
        centres: of the classes.
        projection: float32 [F, D], to embeddings.
        facts: of run.json.
    """

    centres: Centres
    projection: NDArray[np.float32]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run) -> "Familiar | None":
        """Read it; None for a run without.

        Raises:
            RunError: its file is missing or damaged, or does not belong to the run.
        """
        facts = run.manifest.get("familiarity")
        if facts is None:
            return None
        file = FamiliarityFile.read(run.path / FAMILIARITY)
        try:
            float(facts["threshold"])
            known = (facts["centres"], facts["dimensions"]) == (len(file.centres.rows), file.projection.shape[1])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"The manifest of {run.path} is damaged ({error!r}). Train the run again.") from error
        if not known or file.centres.classes.max() >= len(run.labels):
            raise RunError(f"{run.path / FAMILIARITY} is not of this run. Train the run again.")
        return cls(file.centres, file.projection, facts)

    @property
    def threshold(self) -> float:
        """Threshold of fp32."""
        return float(self.facts["threshold"])

    @property
    def dimensions(self) -> int:
        """Length D of an embedding."""
        return int(self.projection.shape[1])

    def outputs(self, broad: Any) -> dict[str, Any]:
        """The outputs as TensorFlow computes them from broad features at unit length, [N, F]."""
        import tensorflow as tf

        cosines = tf.matmul(broad, tf.constant(self.centres.rows.T))
        return {
            EMBEDDING_NAME: tf.math.l2_normalize(tf.matmul(broad, tf.constant(self.projection)), axis=1),
            FAMILIARITY_NAME: tf.reduce_max(cosines, axis=1) - self._others(broad),
            NEAREST_NAME: tf.gather(tf.constant(self.centres.classes), tf.argmax(cosines, axis=1)),
        }

    def _others(self, broad: Any) -> Any:
        """What other kinds of photos take away."""
        import tensorflow as tf

        if not len(self.centres.others):
            return 0.0
        cosines = tf.matmul(broad, tf.constant(self.centres.others.T))
        return OTHERS * tf.nn.relu(tf.reduce_max(cosines, axis=1))

    def wanted(self, broad: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embeddings and familiarity, computed in numpy, independent of the export."""
        return unit_length(broad @ self.projection), self.centres.familiarity(broad)[0]

    def contract(
        self, precision: Precision, tolerance: Mapping[str, Mapping[str, float]], threshold: float, made: str = ""
    ) -> Familiarity:
        """What the contract says.

        Args:
            threshold: of this precision.
            made: what else decides the embeddings: rounded ones of two conversions cannot be compared.

        Raises:
            RunError: the manifest of the run is damaged.
        """
        try:
            return Familiarity(
                id="-".join(filter(None, (str(self.facts["id"]), precision, made))),
                dimensions=self.dimensions,
                centres=len(self.centres.rows),
                threshold=threshold,
                kept=self.facts["kept"],
                kept_at_least=self.facts["kept_at_least"],
                photos=self.facts["photos"],
                tolerance=tolerance,
            )
        except KeyError as error:
            raise RunError(f"The manifest of the run lacks {error} of the familiarity. Train the run again.") from error


def dimensions_of(familiar: Familiar | None) -> int | None:
    """Length of an embedding; None without familiarity."""
    return None if familiar is None else familiar.dimensions


def with_broad_features(network: Any) -> Any:
    """The Keras network with a second output, its broad features at unit length.

    Raises:
        RunError: it has none.
    """
    import keras

    names = {layer.name for layer in network.layers}
    layer = next((name for name in LAYERS if name in names), None)
    if layer is None:
        raise RunError("The run tells of familiarity, but its network has no broad features. Train the run again.")
    return keras.Model(network.input, [network.output, network.get_layer(layer).output])


def familiarities(session: ort.InferenceSession, images: Pixels) -> NDArray[np.float32]:
    """Familiarity of uint8 [n, size, size, 3], float32 [n], computed a few images at a time."""
    starts = range(0, len(images), _CHUNK)
    found: NDArray[np.float32] = np.concatenate(
        [session.run([FAMILIARITY_NAME], {INPUT_NAME: images[start : start + _CHUNK]})[0] for start in starts]
    )
    return found


def compare_familiarity(network: Any, familiar: Familiar, session: ort.InferenceSession, images: Pixels) -> float:
    """Compare embeddings and familiarity of the export with those of Keras's features.

    Args:
        network: of `with_broad_features`.
        session: the export.

    Returns:
        The largest difference of a value.

    Raises:
        EmbeddingMismatchError: one differs by TOLERANCE or more.
    """
    worst = 0.0
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        broad: NDArray[np.float32] = network(chunk, training=False)[1].numpy()
        given = session.run([EMBEDDING_NAME, FAMILIARITY_NAME], {INPUT_NAME: chunk})
        differences = [float(np.abs(a - b).max()) for a, b in zip(given, familiar.wanted(broad), strict=True)]
        worst = max(worst, *differences)
    if not worst < TOLERANCE:  # written this way, NaN is refused too
        raise EmbeddingMismatchError(
            f"The export's embeddings or familiarity differ from Keras's by {worst:.1e}, but at most {TOLERANCE:.0e} is"
            f" allowed. {UNCHANGED}"
        )
    return worst


def moved_threshold(threshold: float, before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """The threshold of a smaller precision.

    Rounding moves the familiarity of all photos a little. The least familiar ones say by how much it moves where the
    threshold lies.

    Args:
        threshold: of fp32.
        before, after: familiarity of the same photos in fp32 and in the smaller precision, [N].
    """
    lowest = np.argsort(before)[: max(1, int(_LOWEST * len(before)))]
    return float(np.clip(threshold + np.median(after[lowest] - before[lowest]), -1.0, 1.0))
