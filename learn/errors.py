"""Errors of learning that a user can cause or fix."""

from common.errors import PhototriageError


class LearnError(PhototriageError):
    """Nothing can be learnt; the text says why and what to do."""
