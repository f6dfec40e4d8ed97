"""The error of this package."""

from common.errors import PhototriageError


class ServiceError(PhototriageError):
    """A service cannot be installed or uninstalled as requested."""
