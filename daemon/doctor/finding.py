"""What the doctor says: one line about one thing, and the cure where something is wrong."""

import shlex
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from contract.text import printable


class Level(StrEnum):
    """How bad it is: a fault keeps photos from being filed, a warning may, or makes it slow."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        about: what was looked at, in a word or two.
        level: how bad it is.
        says: what was found; names in it are printable.
        cure: what to do, a command where there is one; empty where nothing is wrong.
    """

    about: str
    level: Level
    says: str
    cure: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it for scripts, and for the pipe from a child process."""
        return asdict(self)


def ok(about: str, says: str) -> Finding:
    """Nothing is wrong."""
    return Finding(about, Level.OK, says)


def warning(about: str, says: str, cure: str) -> Finding:
    """It may go wrong, or is slower than it could be."""
    return Finding(about, Level.WARNING, says, cure)


def fault(about: str, says: str, cure: str) -> Finding:
    """Photos are not filed, or not as was asked, until this is mended."""
    return Finding(about, Level.FAULT, says, cure)


def word(path: Path | str) -> str:
    """Return a path as one word of a command that is shown to be copied: nothing in a name is run."""
    return shlex.quote(printable(path))
