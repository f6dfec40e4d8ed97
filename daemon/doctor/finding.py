"""What the doctor reports: one line about one thing, with a cure if something is wrong."""

import shlex
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.text import printable


class Level(StrEnum):
    """Severity: a fault prevents filing; a warning may prevent it or slows it down."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        about: what was checked, in a word or two.
        level: the severity.
        says: what was found; names in it are printable.
        cure: what to do, as a command if possible; empty if nothing is wrong.
    """

    about: str
    level: Level
    says: str
    cure: str = ""

    def facts(self) -> dict[str, Any]:
        """Return the finding as a dictionary, for scripts and for the pipe from a child process."""
        return asdict(self)


def ok(about: str, says: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(about, Level.OK, says)


def warning(about: str, says: str, cure: str) -> Finding:
    """Return a warning: filing may fail, or is slower than possible."""
    return Finding(about, Level.WARNING, says, cure)


def fault(about: str, says: str, cure: str) -> Finding:
    """Return a fault: photos are not filed as requested until it is fixed."""
    return Finding(about, Level.FAULT, says, cure)


def quoted(path: Path | str) -> str:
    """Return a path as one quoted word of a command for users to copy, so that no part of a name is executed."""
    return shlex.quote(printable(path))
