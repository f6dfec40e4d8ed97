"""Pseudo-labels: a teacher's confident answers to photos without labels, from which the head learns, too."""

from dataclasses import dataclass
from pathlib import Path

from training.errors import RecipeError


@dataclass(frozen=True)
class PseudoLabels:
    """How answers become lessons. docs/measurements.md says how the values of the shipped recipe were chosen.

    Attributes:
        rounds: how often the head answers and learns again; 0 = no pseudo-labels.
        certainty: the least probability of an answer that may join, by the calibrated head.
        share: of the answers that name a class, the most certain ones that may join.
        most: the most answers of a class that join.
    """

    rounds: int = 0
    certainty: float = 0.9
    share: float = 0.5
    most: int = 1000


def check_unlabelled(rule: PseudoLabels, unlabelled: Path | None, backend: str) -> None:
    """Raise RecipeError unless a recipe with pseudo-labels has photos without labels, and any other has none.

    Args:
        rule: of the recipe.
        unlabelled: folder of photos without labels, if one was given.
        backend: of Keras.
    """
    if not rule.rounds and unlabelled is not None:
        raise RecipeError(
            "This recipe learns nothing from photos without labels. Pass --recipe pseudo-labels, or leave --unlabelled"
            " out."
        )
    if rule.rounds and unlabelled is None:
        raise RecipeError(
            "The recipe learns from pseudo-labels, but no photos without labels were given. Pass --unlabelled FOLDER."
        )
    if rule.rounds and backend != "tensorflow":
        raise RecipeError(f"Pseudo-labels take TensorFlow, but Keras runs on {backend}. Set KERAS_BACKEND=tensorflow.")
