"""The one error of this room."""

from contract.errors import PhototriageError


class ServiceError(PhototriageError):
    """A service cannot be installed or taken back as it was asked for."""
