"""Errors that a user can cause or fix. The text of each error is the whole sentence that the user reads."""

from enum import StrEnum


class PhototriageError(Exception):
    """Base of every error that ends a command with one clear sentence: what came, why it failed, what to do."""


class ContractError(PhototriageError):
    """A model, or a run to be converted, breaks a rule of the contract."""


class ModelError(PhototriageError):
    """A model file cannot be opened, or does not compute what was verified."""


class CompanionError(PhototriageError):
    """The memory of a model, the file beside it, is damaged or belongs to another model."""


class DeviceError(PhototriageError):
    """The requested device cannot run the model."""


class GpuError(DeviceError):
    """A run on the GPU failed, but the GPU still works. The argument is the message of the runtime.

    Attributes:
        what: the message without its cure, to be used inside another sentence.
    """

    cure = "Look at nvidia-smi and at the kernel's log, or pass --device cpu."

    @property
    def what(self) -> str:
        return f"the GPU failed: {self.args[0]}"

    def __str__(self) -> str:
        return f"{self.what[0].upper()}{self.what[1:]}. {self.cure}"


class GpuLostError(GpuError):
    """The GPU cannot be used in this process any more."""


class GpuMemoryError(GpuError):
    """The GPU has too little free memory for one run, but it still works."""

    cure = "Free some of it, allow more with --gpu-memory, or pass --device cpu."

    @property
    def what(self) -> str:
        return f"the GPU's memory is short: {self.args[0]}"


class Reason(StrEnum):
    """Why a photo could not be read; used by the log, the ledger, reports and tests."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not-a-photo"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too-large"
    """It has more pixels than are decoded."""
    FILE_TOO_LARGE = "file-too-large"
    UNSUPPORTED = "unsupported-format"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign-file"
    CHANGED = "changed"
    UNJUDGED = "unjudged"
    """It was decoded, but the model's answer is no probabilities."""


class PhotoError(PhototriageError):
    """One photo could not be read.

    Attributes:
        reason: machine-readable cause.
        detail: the rest of the sentence, for people; it holds no path.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
