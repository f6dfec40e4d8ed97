"""Errors of filing results that a user can cause or fix."""

from bulk.errors import BulkError


class FilingError(BulkError):
    """Results cannot be filed or copied; the text says what came, why it failed and what to do."""
