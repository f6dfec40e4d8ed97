"""The error of this package."""

from contract.errors import PhototriageError


class ServiceError(PhototriageError):
    """A service cannot be installed or uninstalled as requested."""
