"""One photo's destination: folders that fit into a path, and a free name for the photo and its companions."""

import os
from collections.abc import Callable
from pathlib import Path

from daemon.files.companion_names import companion_name
from daemon.files.limits import HIDDEN_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, SAFE_NAME_BYTES, is_taken, plain
from daemon.files.names import candidates as free_forms
from daemon.files.names import free_number, numbered, shortened
from daemon.photo import Photo


def fitted(place: Callable[[Path], Path], output: Path, photo: Photo) -> Path:
    """Return a photo's path below the output, with as many of its folders as fit into the longest path.

    Args:
        place: returns the path for a folder below the inbox.
        output: root of the class folders.
        photo: tells how plain its folders and its name must be.
    """
    relpath = photo.found.relpath
    while True:
        found = _plain(place(relpath), photo.filing.plainness)
        name = min(len(os.fsencode(found.name)), MAX_NAME_BYTES)
        # The hidden name of a copy must fit beside it.
        length = len(os.fsencode(output / found.parent)) + 1 + max(name, HIDDEN_BYTES)
        if length <= MAX_PATH_BYTES or not relpath.parts:
            return found
        relpath = relpath.parent


def _plain(place: Path, plainness: int) -> Path:
    if not plainness:
        return place
    folders = (shortened(plain(folder, plainness), "", SAFE_NAME_BYTES) for folder in place.parent.parts)
    return Path(*folders, plain(place.name, plainness))


def give_names(
    photo: Photo, place: Path, most: int, promised: set[str], is_taken: Callable[[str], bool] = is_taken
) -> None:
    """Give a photo and its companions free names with a common stem, and reserve these names.

    Args:
        photo: gets its destination.
        place: the destination if it is free.
        most: longest name in that folder, in bytes.
        promised: names that are reserved; the new names are added.
        is_taken: tells whether a name exists.

    Raises:
        OSError: the file system cannot hold such a name (`limits.REFUSED`).
    """

    def is_free(path: Path) -> bool:
        return (name := str(path)) not in promised and not is_taken(name)

    if not photo.filing.companions and len(os.fsencode(place.name)) <= most and is_free(place):
        photo.filing.destination = place
        promised.add(str(place))
        return
    room = most - _longer(photo, place)

    number = free_number(
        lambda number: all(map(is_free, _places(photo, place, numbered(place.name, number, room), most)))
    )
    photo.filing.destination, *parts = _places(photo, place, numbered(place.name, number, room), most)
    for part, destination in zip(photo.filing.companions, parts, strict=True):
        join(part, photo.filing.destination, destination)
        part.filing.outcome, part.filing.reason = photo.filing.outcome, ""
        part.judgement = photo.judgement.of_companion()
    promised.update(map(str, (photo.filing.destination, *parts)))


def _places(photo: Photo, place: Path, name: str, most: int) -> list[Path]:
    """Return the paths of a photo that gets this name and of its companions; no two are equal."""
    target = place.with_name(name)
    names = [name]
    for part in photo.filing.companions:  # two forms of a name may become one beside a renamed photo
        own = companion_name(part.path, photo.path, target, most)
        names.append(next(free for free in free_forms(own, most) if free not in names))
    return list(map(target.with_name, names))


def _longer(photo: Photo, place: Path) -> int:
    """Return how many bytes the longest companion's name is longer than its photo's, to cut a common stem."""
    bare = place.with_name("x" + place.suffix)
    names = [companion_name(part.path, photo.path, bare) for part in photo.filing.companions]
    return max((0, *(len(os.fsencode(name)) - len(os.fsencode(bare.name)) for name in names)))


def join(part: Photo, photo: Path, destination: Path) -> None:
    """Give a companion its destination beside its photo, which is or will be filed at `photo`."""
    part.filing.follows, part.filing.destination = photo, destination
