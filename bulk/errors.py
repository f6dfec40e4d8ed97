"""Errors of bulk work that a user can cause or fix."""

from common.errors import PhototriageError


class BulkError(PhototriageError):
    """Base of them; the text says what came, why it failed and what to do."""


class PlanError(BulkError):
    """A plan cannot be read or written."""


class RootError(BulkError):
    """A folder, URL or table that names photos cannot be read."""


class StorageError(BulkError):
    """A photo behind a URL cannot be read now; trying again may help."""
