"""What learning takes from an inbox and gives to it, by the commands that anybody can call: only files pass."""

import json
import subprocess
from collections.abc import Iterator, Sequence
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
        folder: where files that pass are written.
    """

    def __init__(self, which: Sequence[str], folder: Path) -> None:
        self._which, self._folder = which, folder

    def labels(self) -> Path:
        """Export the labels in force to a file."""
        file = self._folder / "labels.jsonl"
        self._run("labels", "export", str(file), *self._which)
        return file

    def filed(self, most: int) -> Path:
        """Write the photos that were filed last to a file, youngest first."""
        file = self._folder / "filed.jsonl"
        with file.open("w", encoding="utf-8") as out:
            self._run("history", "--json", "--state", "filed", "--limit", str(most), *self._which, out=out)
        return file

    def model(self) -> Path:
        """Return the file of the model in use."""
        for entry in self._lines("model", "list", "--json", *self._which):
            if entry["what"] in SERVED:
                return Path(entry["file"])
        raise LearnError("No model has served this inbox yet. Start `watch` or `sort` once.")

    def use(self, model: Path) -> str:
        """Let a model serve; returns what was said of it."""
        return self._run("model", "use", str(model), *self._which).strip()

    def _lines(self, *words: str) -> Iterator[dict[str, Any]]:
        for line in self._run(*words).splitlines():
            yield json.loads(line)

    def _run(self, *words: str, out: Any = subprocess.PIPE) -> str:
        try:
            return call_command(words, out)
        except PhototriageError as error:
            raise LearnError(str(error)) from error
