"""Losses: properties of an original that another file system cannot keep, reported once for each kind."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from common.text import printable


class Loss(NamedTuple):
    """One property that a copy could not keep.

    Attributes:
        kind: owner, mode, access list, attributes or time.
        what: the loss, as the rest of a sentence about the copy.
    """

    kind: str
    what: str


class Losses:
    """Reports what is lost on one file system: each kind once, with the first photo.

    Args:
        say: called with one sentence for the user.
        done: the verb of that sentence.
    """

    def __init__(self, say: Callable[[str], None], done: str = "is filed") -> None:
        self._say = say
        self._done = done
        self._said: set[str] = set()

    def note(self, target: Path, losses: Iterable[Loss]) -> None:
        """Report the losses of a photo that is now at `target`."""
        for loss in losses:
            if loss.kind not in self._said:
                self._said.add(loss.kind)
                self._say(f"{printable(target)} {self._done}, but {loss.what}. Others may be too; this is said once")

    def stays(self, part: Path, reason: str) -> None:
        """Report a companion that stays although its photo is filed: the photo's line does not name it."""
        if str(part) not in self._said:
            self._said.add(str(part))
            self._say(f"{printable(part.name)} stays in the inbox for now, without its photo: {reason}")
