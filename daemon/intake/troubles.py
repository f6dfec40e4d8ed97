"""What keeps an inbox from being scanned or watched. Each trouble is reported once, and so is its end."""

from enum import Enum, auto
from typing import NamedTuple

from daemon.process.log_level import Level, Say


class Topic(Enum):
    """What a trouble is about; at most one trouble of each topic lasts at a time."""

    ROOT = auto()
    """The inbox is not the known folder, or its mount is missing."""
    SCAN = auto()
    """The inbox cannot be read."""
    WATCH = auto()
    """The kernel gives no events."""
    SHARE = auto()
    """Events do not tell everything that happens on this mount."""
    PASSED = auto()
    """Folders in the inbox are left alone, because `--recursive` is not set."""
    FOLDERS = auto()
    """Folders in the inbox cannot be read."""


class InboxTroubles(NamedTuple):
    """The current troubles of an inbox.

    Attributes:
        stops: why no photo can be found; empty if photos can.
        notes: the other troubles, a sentence each.
    """

    stops: str = ""
    notes: tuple[str, ...] = ()

    def with_note(self, note: str) -> "InboxTroubles":
        """Return these troubles and another one, if it is not empty."""
        return self._replace(notes=(*self.notes, note)) if note else self


class Troubles:
    """Remembers the current troubles of an inbox, and reports what begins and ends.

    Args:
        say: takes a sentence for the user.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._lasting = dict.fromkeys(Topic, "")  # its keys never change, because any thread may read it

    def now(self) -> InboxTroubles:
        """Return the current troubles. Any thread may call this."""
        notes = (self._lasting[topic] for topic in (Topic.WATCH, Topic.SHARE, Topic.PASSED, Topic.FOLDERS))
        return InboxTroubles(self._lasting[Topic.ROOT] or self._lasting[Topic.SCAN], tuple(filter(None, notes)))

    def tell(self, topic: Topic, trouble: str, relief: str = "", *, begin: str = "", said: bool = False) -> None:
        """Note the trouble of a topic, empty for none; it is reported if it is new, and the relief when it ends.

        Args:
            topic: of the trouble.
            trouble: a sentence; empty if there is no trouble.
            relief: a sentence for the end of the trouble; empty for none.
            begin: stands before a new trouble in the report, and not in the status.
            said: whether the trouble is reported already, and only its words have changed.
        """
        if self._lasting[topic] == trouble:
            return
        self._lasting[topic] = trouble
        if trouble:
            if not said:
                self._say(f"{begin}{trouble}")
        elif relief:
            self._say(relief, Level.NOTICE)
