"""Why an audit cannot be made."""

from common.errors import PhototriageError


class AuditError(PhototriageError):
    """No photos can be drawn, shown, or answered."""
