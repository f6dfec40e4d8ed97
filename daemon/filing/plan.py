"""Destinations for the photos of a batch: layout, duplicates, companions, and a free name for each.

The limits of the destination's file system are checked before an intent is written. A name that is too long is cut. A
path that is too long keeps as many of the photo's folders as fit. A name that the file system refuses gets plainer.
"""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from common.text import printable
from daemon.decode.exif_date import taken_at
from daemon.files.confined import is_folder
from daemon.files.identity import sha256_of
from daemon.files.limits import (
    MAX_NAME_BYTES,
    MAX_PATH_BYTES,
    MAX_PLAINNESS,
    REFUSED,
    SAFE_NAME_BYTES,
    Limits,
    is_taken,
    plain,
)
from daemon.filing.companions.waiting import Companions
from daemon.filing.destinations import fitted, give_names
from daemon.filing.layout import DEFAULT_LAYOUT, Layout
from daemon.ledger.ledger import Ledger
from daemon.photo import DUPLICATES_FOLDER, Outcome, Photo
from daemon.process.heartbeat import Heartbeat
from daemon.process.parallel import SHARE_TOGETHER, for_each

Obstacles = dict[int, tuple[OSError, str]]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MAX_FOLDERS = 4096
"""How many folders are cached."""


class Planner:
    """Chooses a free destination for each photo of a batch; used by one thread.

    Args:
        output: root of the class folders.
        ledger: the record of filed photos.
        layout: of the output; photos that get no class use the default layout.
        set_aside: whether a photo goes to `_duplicates` if a photo of equal content is filed.
        made: called with the parent of each folder that was made.
    """

    def __init__(
        self, output: Path, ledger: Ledger, layout: Layout, *, set_aside: bool, made: Callable[[Path], None]
    ) -> None:
        self._output = output
        self._ledger = ledger
        self._layout = layout
        self._set_aside = set_aside
        self._made = made
        self._default_layout = Layout(DEFAULT_LAYOUT)
        self._there: set[Path] = set()
        self._folders: dict[tuple[str, Path], tuple[Path, bool]] = {}
        self._limits = Limits()
        self._looked: dict[str, bool] = {}
        self._equal: dict[tuple[Path, str], bool] = {}

    def look_ahead(self, photos: list[Photo], heartbeat: Heartbeat) -> None:
        """Check for many photos in parallel whether their names are taken: on a share each check is a round trip."""
        self._looked.clear()

        def look(place: str) -> None:
            with suppress(OSError):  # planning meets the same error again
                self._looked[place] = is_taken(place)

        with suppress(OSError):
            for_each(
                {str(self._destination_of(photo)): None for photo in photos}, look, SHARE_TOGETHER, "plan", heartbeat
            )

    def plan(
        self, photos: list[Photo], companions: Companions, taken: Collection[str] = ()
    ) -> tuple[list[Photo], list[Photo], Obstacles]:
        """Give each photo and its companions their destinations.

        Args:
            photos: photos to be filed.
            companions: companions that wait for their photo.
            taken: paths that a rename found taken, although a look may find them free.

        Returns:
            Photos that have a destination; photos to be planned after these are filed, because they equal one of them;
            and by `id` of the others, why their folder cannot be used.
        """
        self._take_names()
        planned: list[Photo] = []
        later: list[Photo] = []
        obstacles: Obstacles = {}
        promised: set[str] = set(taken)
        contents: set[str] = set()
        self._there.clear()  # a folder may have been removed since the last batch
        self._equal.clear()
        for photo in photos:
            if self._set_aside and photo.read.sha256 in contents:
                later.append(photo)
                continue
            self._set_duplicate_aside(photo)
            photo.filing.companions = companions.claim(photo.path)
            try:
                self._choose_names(photo, promised)
            except OSError as error:
                place = self._destination_of(photo).parent
                obstacles[id(photo)] = error, f"{printable(place)} cannot be used ({error.strerror})"
            else:
                planned.append(photo)
                if photo.read.sha256 and photo.filing.outcome in (Outcome.FILED, Outcome.REVIEW):
                    contents.add(photo.read.sha256)
        return planned, later, obstacles

    def _take_names(self) -> None:
        """Take the folders that people renamed; they may do so while photos are filed."""
        names = self._ledger.class_folders()
        if names != self._layout.names:
            self._layout.names = names
            self._folders.clear()

    def _choose_names(self, photo: Photo, promised: set[str]) -> None:
        """Give a photo and its companions names that their folder accepts; OSError if there are none."""
        while True:
            place = self._destination_of(photo)
            try:
                self._make(place.parent)
                most, plainness = self._limits.of(place.parent)
                if plainness > photo.filing.plainness:
                    place = place.with_name(plain(place.name, plainness))
                most = min(most, SAFE_NAME_BYTES) if photo.filing.plainness else most
                give_names(photo, place, most, promised, self._is_taken)
            except OSError as error:
                if error.errno not in REFUSED or photo.filing.plainness == MAX_PLAINNESS:
                    raise
                photo.filing.plainness += 1
            else:
                return

    def _is_taken(self, name: str) -> bool:
        looked = self._looked.pop(name, None)  # used once: later another file may have the name
        return is_taken(name) if looked is None else looked

    def _set_duplicate_aside(self, photo: Photo) -> None:
        if not self._set_aside or photo.filing.outcome not in (Outcome.FILED, Outcome.REVIEW):
            return
        for same in self._ledger.paths_of_content(photo.read.sha256):
            if self._is_there(same, photo):
                where = printable(os.path.relpath(same, self._output))
                photo.filing.outcome, photo.filing.folder = Outcome.DUPLICATE, DUPLICATES_FOLDER
                photo.filing.reason = f"the same photo is filed as {where}"
                return

    def _is_there(self, place: Path, photo: Photo) -> bool:
        key = (place, photo.read.sha256)  # once a batch: a thousand equal photos would read it a thousand times
        if key not in self._equal:
            self._equal[key] = _still_there(place, photo)
        return self._equal[key]

    def _destination_of(self, photo: Photo) -> Path:
        layout = self._layout if photo.filing.outcome is Outcome.FILED else self._default_layout
        taken = taken_at(photo) if layout.needs_date else _NEVER
        if layout.keeps_name and not layout.needs_date and not photo.filing.plainness:
            folder, has_room = self._folder_of(layout, photo)
            if has_room:
                return folder / photo.path.name
        return self._output / fitted(
            lambda relpath: layout.path_of(photo.filing.folder, relpath, photo.path.name, taken), self._output, photo
        )

    def _folder_of(self, layout: Layout, photo: Photo) -> tuple[Path, bool]:
        """Return the folder of a photo, and whether every name fits into it; for layouts without a date."""
        key = (photo.filing.folder, photo.found.relpath)
        if key not in self._folders:
            if len(self._folders) >= MAX_FOLDERS:
                self._folders.clear()
            folder = self._output / layout.path_of(*key, "name", _NEVER).parent
            self._folders[key] = folder, len(os.fsencode(folder)) + 1 + MAX_NAME_BYTES <= MAX_PATH_BYTES
        return self._folders[key]

    def _make(self, folder: Path) -> None:
        if folder in self._there:
            return
        if folder != self._output:
            self._make(folder.parent)  # top down: a foreign link on the way is found before it is followed
            if not is_folder(folder, self._output):
                folder.mkdir(exist_ok=True)
                self._made(folder.parent)
        self._there.add(folder)


def _still_there(place: Path, photo: Photo) -> bool:
    try:
        return place.stat().st_size == photo.found.identity.size and sha256_of(place) == photo.read.sha256
    except OSError:
        return False
