"""What can go wrong in this room; each text is the whole sentence that the user reads."""

from contract.errors import PhototriageError


class DatasetError(PhototriageError):
    """The folder given as a dataset cannot be trained or measured on."""


class RecipeError(PhototriageError):
    """A setting is unknown or out of range."""


class WeightsError(PhototriageError):
    """The weights that training should start from are not at hand."""


class TrainingError(PhototriageError):
    """Training could not go on."""


class RunError(PhototriageError):
    """A run folder is missing, incomplete, damaged or of an unknown format."""


class CheckpointError(TrainingError):
    """The state that an unfinished run was left in cannot be gone on from."""
