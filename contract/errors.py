"""Errors that a user can cause or cure; each one's text is the whole sentence that the user reads."""

from enum import StrEnum


class PhototriageError(Exception):
    """Base of every error that ends a command with one clear sentence: what came, why it failed, what to do."""


class ContractError(PhototriageError):
    """A model, or what is about to become one, breaks a line of the contract."""


class ModelError(PhototriageError):
    """A model file cannot be opened, or does not compute what it says it does."""


class DeviceError(PhototriageError):
    """The processor that was asked for cannot run the model."""


class GpuError(DeviceError):
    """A run on the GPU failed, which still answers. The argument is the runtime's words.

    Attributes:
        what: the sentence without what to do, as a part of another one.
    """

    cure = "Look at nvidia-smi and at the kernel's log, or pass --device cpu."

    @property
    def what(self) -> str:
        return f"the GPU failed: {self.args[0]}"

    def __str__(self) -> str:
        return f"{self.what[0].upper()}{self.what[1:]}. {self.cure}"


class GpuLostError(GpuError):
    """Nothing runs on the GPU in this process any more."""


class GpuMemoryError(GpuError):
    """The GPU has too little memory left for one run; it can go on computing."""

    cure = "Free some of it, allow more with --gpu-memory, or pass --device cpu."

    @property
    def what(self) -> str:
        return f"the GPU's memory is short: {self.args[0]}"


class Reason(StrEnum):
    """Why a photo could not be read; shared by the log, the ledger, reports and tests."""

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
        detail: the rest of the sentence, for people; holds no path.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
