"""Write the whole network, and check that it gives the answers of features and head."""

from pathlib import Path
from typing import Any

import numpy as np

from training.dataset.samples import Samples
from training.errors import TrainingError
from training.fit.regression import LinearHead
from training.network.features import logits_of
from training.network.tails import assemble
from training.network.weights import InitialWeights
from training.on_features.candidate import Candidate
from training.recipe.recipe import Recipe
from training.resume.epoch_writer import save_network

CHECKED = 64
TOLERANCE = 1e-2
"""Largest difference of a logit: Keras and ONNX Runtime round differently, and a head multiplies that."""


def write_network(
    output: Path,
    recipe: Recipe,
    weights: InitialWeights,
    task: Any,
    head: LinearHead,
    answered: tuple[Samples, Candidate],
) -> None:
    """Put trunk, tails and head together and write model.keras.

    Args:
        task: weights of the fine-tuned tail; None without.
        answered: photos with their features, on some of which the whole is compared.

    Raises:
        TrainingError: the whole network answers otherwise than head and features.
    """
    network = assemble(recipe, weights.file, task, head.kernel, head.bias)
    samples, candidate = answered
    numbers = np.linspace(0, len(samples.rows) - 1, min(CHECKED, len(samples.rows))).astype(np.int64)
    difference = np.abs(logits_of(network, samples.take(numbers)) - head.logits(candidate.rows(numbers))).max()
    if not difference < TOLERANCE:  # written this way, NaN is refused too
        raise TrainingError(
            f"The network that was put together differs from what was trained by {difference:.1e} in a logit, but at"
            f" most {TOLERANCE:.0e} is allowed. Please report this."
        )
    save_network(output, network)
