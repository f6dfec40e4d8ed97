"""Where the photos of a batch go: layout, duplicates, companions, and a free name for each."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from contract.text import printable
from daemon.beneath import is_folder
from daemon.companions import Companions, companion_name
from daemon.decide import DUPLICATES_FOLDER
from daemon.layout import DEFAULT_LAYOUT, Layout
from daemon.ledger import Ledger
from daemon.limits import MAX_NAME_BYTES
from daemon.names import free_number, numbered, shortened
from daemon.photo import Outcome, Photo
from daemon.same import sha256_of
from daemon.taken import taken_at

Obstacles = dict[int, tuple[OSError, str]]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MAX_FOLDERS = 4096
"""Folders whose path is remembered."""


class Planner:
    """Finds each photo of a batch a free place in the output; used by one thread.

    Args:
        output: root of the class folders.
        ledger: tells what was filed before.
        layout: where photos lie below it; those that are not filed under a class lie by the default one.
        set_aside: whether a photo of equal content as one that is filed goes to `_duplicates`.
        made: called with the folder in which a new one was made.
    """

    def __init__(
        self, output: Path, ledger: Ledger, layout: Layout, *, set_aside: bool, made: Callable[[Path], None]
    ) -> None:
        self._output = output
        self._ledger = ledger
        self._layout = layout
        self._set_aside = set_aside
        self._made = made
        self._aside = Layout(DEFAULT_LAYOUT)
        self._there: set[Path] = set()
        self._folders: dict[tuple[str, Path], Path] = {}

    def plan(self, photos: list[Photo], companions: Companions) -> tuple[list[Photo], list[Photo], Obstacles]:
        """Give each photo its destination, and let it take its companions along.

        Returns:
            Those that have a place; those that are to be planned once these are filed, for they may be their
            duplicates; and by `id` of the others, why their folder cannot be used.
        """
        planned: list[Photo] = []
        later: list[Photo] = []
        obstacles: Obstacles = {}
        promised: set[str] = set()
        contents: set[str] = set()
        self._there.clear()  # anybody may remove a folder meanwhile
        for photo in photos:
            if self._set_aside and photo.sha256 in contents:
                later.append(photo)
                continue
            contents.add(photo.sha256)
            self._set_duplicate_aside(photo)
            place = self._place_of(photo)
            try:
                self._make(place.parent)
            except OSError as error:
                obstacles[id(photo)] = error, f"{printable(place.parent)} cannot be used ({error.strerror})"
                continue
            photo.companions = companions.claim(photo.path)
            _give_names(photo, place, promised)
            planned.append(photo)
        return planned, later, obstacles

    def _set_duplicate_aside(self, photo: Photo) -> None:
        if not self._set_aside or photo.outcome not in (Outcome.FILED, Outcome.REVIEW):
            return
        for same in self._ledger.of_content(photo.sha256):
            if _still_there(same.destination, photo):
                where = printable(os.path.relpath(same.destination, self._output))
                photo.outcome, photo.folder = Outcome.DUPLICATE, DUPLICATES_FOLDER
                photo.reason = f"the same photo is filed as {where}"
                return

    def _place_of(self, photo: Photo) -> Path:
        layout = self._layout if photo.outcome is Outcome.FILED else self._aside
        taken = taken_at(photo) if layout.needs_date else _NEVER
        if layout.keeps_name and not layout.needs_date:
            return self._folder_of(layout, photo) / photo.path.name
        place = self._output / layout.place(photo.folder, photo.relpath, photo.path.name, taken)
        if len(os.fsencode(place.name)) > MAX_NAME_BYTES:  # a layout that adds to the name
            place = place.with_name(shortened(place.stem, place.suffix))
        return place

    def _folder_of(self, layout: Layout, photo: Photo) -> Path:
        """Return the folder of a photo where the layout asks for nothing else: one for many photos."""
        key = (photo.folder, photo.relpath)
        if key not in self._folders:
            if len(self._folders) >= MAX_FOLDERS:
                self._folders.clear()
            self._folders[key] = self._output / layout.place(*key, "name", _NEVER).parent
        return self._folders[key]

    def _make(self, folder: Path) -> None:
        if folder in self._there:
            return
        if folder != self._output:
            self._make(folder.parent)  # first: a stranger's link on the way would lead the look at what lies behind it
            if not is_folder(folder, self._output):
                folder.mkdir(exist_ok=True)
                self._made(folder.parent)
        self._there.add(folder)


def _give_names(photo: Photo, place: Path, promised: set[str]) -> None:
    """Give a photo and its companions free names of one stem, which are promised to them then."""

    def is_free(path: Path) -> bool:
        return (name := str(path)) not in promised and not os.path.lexists(name)

    if not photo.companions and is_free(place):
        photo.destination = place
        promised.add(str(place))
        return

    def places(number: int) -> list[Path]:
        target = place.with_name(numbered(place.name, number))
        names = [companion_name(part.path, photo.path, target) for part in photo.companions]
        return [target, *map(target.with_name, names)]

    number = free_number(lambda number: all(map(is_free, places(number))))
    photo.destination, *parts = places(number)
    for part, destination in zip(photo.companions, parts, strict=True):
        join(part, photo.destination, destination)
        part.outcome, part.label, part.reason = photo.outcome, photo.label, ""
    promised.update(map(str, (photo.destination, *parts)))


def join(part: Photo, photo: Path, destination: Path) -> None:
    """Let a companion follow its photo, which is or will be filed at `photo`."""
    part.follows, part.destination = photo, destination


def _still_there(place: Path, photo: Photo) -> bool:
    try:
        return place.stat().st_size == photo.identity.size and sha256_of(place) == photo.sha256
    except OSError:
        return False
