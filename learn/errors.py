"""Errors of learning that a user can cause or fix."""

from common.errors import PhototriageError


class LearnError(PhototriageError):
    """Nothing can be learnt; the text says why and what to do."""


class NothingToLearn(LearnError):  # noqa: N818 - no fault of anybody's: people have not said enough yet
    """People have said nothing yet, or too little."""
