"""Companions of a photo that its owner moved in the output: where they lie now, if they were moved along with it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contract.formats import has_photo_name
from daemon.files.companion_names import companion_name, rank
from daemon.files.identity import Identity, look_at
from daemon.ledger.queries import Record
from daemon.ledger.since.places import Place
from daemon.photo import Mode


def with_their_photo(photo: Record, companions: Sequence[Record]) -> list[Record]:
    """Return the companions; those that lie beside the moved photo now have a place there.

    Args:
        photo: with its place.
        companions: as they were filed with it.
    """
    place = photo.place
    if place is None or place.path == photo.intent.destination:
        return list(companions)
    return [_found(companion, photo, place) for companion in companions]


def _found(companion: Record, photo: Record, place: Place) -> Record:
    """Look beside the photo for a companion that is not where it was filed, under the name that fits the photo's."""
    was = companion.intent
    if os.path.lexists(was.destination):
        return companion
    beside = place.path.with_name(companion_name(was.destination, photo.intent.destination, place.path))
    if not _is_it(beside, companion, place.path):
        return companion
    return replace(companion, place=replace(place, path=beside))


def _is_it(beside: Path, companion: Record, photo: Path) -> bool:
    """Tell whether a file beside a moved photo is its companion, and not one of another photo that lies there.

    Companions are edited, some programs write them anew: then only a file that no other photo there asks for is it.
    """
    was = companion.intent
    if was.mode is Mode.SYMLINK:
        return beside.is_symlink() and beside.readlink() == was.source
    found = look_at(beside)
    if found is None:
        return False
    return _is_unedited(found, was.identity) or not _others(beside, photo)


def _is_unedited(found: Identity, was: Identity) -> bool:
    return found.inode == was.inode or (found.size, found.mtime_ns) == (was.size, was.mtime_ns)


def _others(companion: Path, photo: Path) -> bool:
    """Tell whether another file in the folder is a photo that the companion fits as well."""
    others = (path for path in companion.parent.iterdir() if path != photo and has_photo_name(path))
    return any(rank(companion.name, other.name) is not None for other in others)
