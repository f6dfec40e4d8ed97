"""Which words are in force now: asked once for each batch, so that new ones count while photos flow."""

from daemon.words.words import EMPTY, Words


class ActiveWords:
    """Holds the words in force. Any thread may replace them.

    Attributes:
        current: the words for all photos that are judged from now on.
    """

    def __init__(self, current: Words = EMPTY) -> None:
        self.current = current
