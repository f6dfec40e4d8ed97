"""Errors of the training room. The text of each error is the whole sentence that the user reads."""

from common.errors import PhototriageError


class DatasetError(PhototriageError):
    """The dataset folder cannot be used to train or to measure."""


class RecipeError(PhototriageError):
    """A setting is unknown or out of range."""


class WeightsError(PhototriageError):
    """The initial weights are missing or damaged."""


class TrainingError(PhototriageError):
    """Training cannot continue."""


class RunError(PhototriageError):
    """A run folder is missing, incomplete, damaged or of an unknown format."""


class CheckpointError(TrainingError):
    """The checkpoint of an unfinished run cannot be used."""
