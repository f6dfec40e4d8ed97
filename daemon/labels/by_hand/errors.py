"""Why a command about labels is refused."""

from common.errors import PhototriageError


class LabelError(PhototriageError):
    """What was said cannot be recorded."""
