"""How much a line of the log matters. Who reports something passes the level, so that nobody guesses it from words."""

from enum import IntEnum
from typing import Protocol


class Level(IntEnum):
    """How much a line matters; the numbers are syslog's."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class Say(Protocol):
    """Takes a sentence for the user, about the whole and not about one photo.

    Most sentences report a problem. One that reports its end, or other good news, comes with `Level.NOTICE`.
    """

    def __call__(self, sentence: str, level: Level = Level.WARNING, /) -> None:
        """Report a sentence; may be called from any thread."""


def unsaid(_sentence: str, _level: Level = Level.WARNING, /) -> None:
    """Report nothing."""
