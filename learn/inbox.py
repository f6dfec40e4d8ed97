"""What learning takes from an inbox and gives to it, by the commands that anybody can call: only files pass."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.command import call_command
from common.errors import PhototriageError
from learn.errors import LearnError

SERVED = ("started", "used", "rolled back", "placed")
"""What `model list` says of models that served."""


class Inbox:
    """An inbox or a service.

    Args:
        which: options that name it, as `--inbox DIR`; none if there is only one.
    """

    def __init__(self, which: Sequence[str]) -> None:
        self._which = which

    def serving(self) -> tuple[Path, Path]:
        """Return the file of the model in use, and the state folder.

        Raises:
            LearnError: none has served yet.
        """
        for line in self._run("model", "list", "--json", *self._which).splitlines():
            entry = json.loads(line)
            if entry["what"] in SERVED:
                return Path(entry["file"]), Path(entry["state"])
        raise LearnError("No model has served this inbox yet. Start `watch` or `sort` once.")

    def labels(self, file: Path) -> None:
        """Export the labels in force to a new file."""
        self._run("labels", "export", str(file), *self._which)

    def filed(self, file: Path, most: int) -> None:
        """Write the photos that were filed last to a new file, youngest first."""
        with file.open("w", encoding="utf-8") as out:
            self._run("history", "--json", "--state", "filed", "--limit", str(most), *self._which, out=out)

    def audits(self, file: Path) -> None:
        """Write what audits found to a new file."""
        with file.open("w", encoding="utf-8") as out:
            self._run("audit", "--photos", "0", "--json", *self._which, out=out)

    def use(self, model: Path) -> str:
        """Let a model serve; returns what was said of it."""
        return self._run("model", "use", str(model), *self._which).strip()

    def _run(self, *words: str, out: Any = subprocess.PIPE) -> str:
        try:
            return call_command(words, out)
        except PhototriageError as error:
            raise LearnError(str(error)) from error
