"""Folders in the inbox that are left alone without `--recursive`: named, with the photos in them, and what to do."""

import shlex
from contextlib import closing, suppress
from copy import copy
from itertools import islice
from pathlib import Path

from common.text import printable
from contract.formats import has_photo_name
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan

MAX_FOLDERS = 100
"""Folders that are known by name; an inbox may hold any number of them."""
MOST_FILES = 2_000
"""Files that are counted in one folder: the thread that files photos also counts, and a share is slow."""
NAMED = 3


class PassedFolders:
    """Counts the photos in such folders. A folder is counted again only when it changes, so an idle inbox stays idle.

    Args:
        path_filter: of the inbox, without `--recursive`.
        output: where photos are filed, for the command in the sentence.
        watch: whether a daemon runs, which must be restarted with another option.
    """

    def __init__(self, path_filter: PathFilter, output: Path | None, *, watch: bool) -> None:
        self._inside = copy(path_filter)
        self._inside.recursive = True
        self._path_filter, self._output, self._watch = path_filter, output, watch
        self._counted: dict[Path, tuple[int, int]] = {}
        self._found: dict[Path, None] = {}
        self._said: set[Path] = set()

    def passed(self, folder: Path) -> None:
        """Note a folder that one scan passes; calls of `told` end the scan."""
        if len(self._found) < MAX_FOLDERS and self._path_filter.would_enter(folder):
            self._found[folder] = None

    def told(self) -> tuple[str, bool]:
        """Return the sentence about the folders that hold photos, empty if none does, and whether one of them is new.

        Folders passed from now on belong to the next scan.
        """
        self._counted = {folder: self._count(folder) for folder in self._found}
        self._found = {}
        photos = {folder: count for folder, (_, count) in self._counted.items() if count}
        is_new = not self._said.issuperset(photos)
        self._said = self._said & self._counted.keys() | photos.keys()
        return (self._sentence(photos) if photos else ""), is_new

    def _count(self, folder: Path) -> tuple[int, int]:
        """Return when a folder changed last, and how many photos it holds; a folder without photos is looked into."""
        count, changed_ns = 0, 0
        with suppress(OSError):
            changed_ns = folder.lstat().st_mtime_ns
            known = self._counted.get(folder)
            if known is not None and known[1] and known[0] == changed_ns:
                return known
            with closing(scan(self._inside, folder)) as files:
                count = sum(map(has_photo_name, islice(files, MOST_FILES)))
        return changed_ns, count

    def _sentence(self, photos: dict[Path, int]) -> str:
        named = ", ".join(f"{_many(count)} in {printable(folder.name)}" for folder, count in [*photos.items()][:NAMED])
        rest = [*photos.values()][NAMED:]
        more = f", {_many(sum(rest))} in {len(rest):,} more" if rest else ""
        return f"photos in folders of the inbox are left alone: {named}{more}. {self._cure()}"

    def _cure(self) -> str:
        if self._watch:
            return "To file them too, restart with --recursive (in a configuration: recursive = true)"
        inbox, output = (shlex.quote(printable(path)) for path in (self._inside.inbox, self._output or "OUTPUT"))
        return f"To file them too: phototriage sort --inbox {inbox} --output {output} --recursive"


def _many(count: int) -> str:
    return f"{count:,}{' or more' if count >= MOST_FILES else ''}"
