"""Errors of collecting: those that end a collection, and those of a single download, which do not."""

from common.errors import PhototriageError


class CollectError(PhototriageError):
    """A collection cannot begin or go on; the text says what came, why it failed and what to do."""


class FetchError(CollectError):
    """A URL could not be fetched.

    Attributes:
        lasting: whether another try would fail as well, because it lies in what is there.
    """

    def __init__(self, sentence: str, *, lasting: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting


class ForbiddenError(FetchError):
    """A URL leads where no stranger's URL may lead."""


class BusyError(FetchError):
    """A server asks to come again later.

    Attributes:
        wait_s: how long it asks to wait; None if it does not say.
    """

    def __init__(self, sentence: str, wait_s: float | None) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s
