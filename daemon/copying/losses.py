"""What a copy on another file system cannot have of its original, said once for each kind."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from contract.text import printable


class Loss(NamedTuple):
    """One thing that a copy has not got.

    Attributes:
        kind: owner, mode, access list, attributes or time.
        what: what became of it, as the rest of a sentence about the copy.
    """

    kind: str
    what: str


class Losses:
    """Says what is lost on one file system, each kind with the first photo that it happens to.

    Args:
        say: takes one sentence for the user.
        done: what became of a photo.
    """

    def __init__(self, say: Callable[[str], None], done: str = "is filed") -> None:
        self._say = say
        self._done = done
        self._said: set[str] = set()

    def note(self, target: Path, losses: Iterable[Loss]) -> None:
        """Take note of what a photo that is at `target` now has lost."""
        for loss in losses:
            if loss.kind not in self._said:
                self._said.add(loss.kind)
                self._say(f"{printable(target)} {self._done}, but {loss.what}. So are others; this is said once")

    def stays(self, part: Path, reason: str) -> None:
        """Take note of a companion that stays though its photo is filed, whose line does not name it."""
        if str(part) not in self._said:
            self._said.add(str(part))
            self._say(f"{printable(part.name)} stays in the inbox for now, without its photo: {reason}")
