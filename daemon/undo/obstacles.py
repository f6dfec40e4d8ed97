"""Why a filed photo or companion cannot be moved now: it is gone, or changed, or its mount is away."""

import os
from dataclasses import replace
from pathlib import Path

from common.text import printable
from daemon.files.identity import look_at, sha256_of
from daemon.files.mounts import is_mounted
from daemon.ledger.intent import Intent
from daemon.ledger.queries import Record
from daemon.ledger.since.places import is_photo_of
from daemon.photo import Mode

ORIGINAL_GONE = "its original is no longer in the inbox unchanged, so this may be the only copy left"


def as_it_lies(photo: Record) -> Record:
    """Return a photo without its place if nothing lies there: it may be back where it was filed since the last look."""
    if photo.place is None or photo.path == photo.intent.destination or os.path.lexists(photo.path):
        return photo
    return replace(photo, place=None)


def dangling(was: Intent) -> str:
    """Return a remark if a link's original is gone: removing the link brings no photo back."""
    if was.mode is not Mode.SYMLINK or look_at(was.source) is not None:
        return ""
    return "the link is removed, but its original is no longer in the inbox"


def mount_away(was: Intent) -> str:
    """Return why a photo must stay if its mount inside the inbox is away: a later mount would hide the photo."""
    if was.mount is None or is_mounted(was.mount):
        return ""
    return f"it came from {printable(was.mount)}, where nothing is mounted now"


def obstacle(record: Record) -> str:
    """Return why a photo must stay where it is: it is not there any more, or was changed; or an empty text."""
    place, was = record.path, record.intent
    try:
        if was.mode is Mode.SYMLINK:
            ours = place.is_symlink() and place.readlink() == was.source
            return "" if ours else "the link is no longer there"
        changed = _changed(place, was)
        if changed or was.mode is Mode.MOVE:
            return changed
        if _changed(was.source, was):
            return ORIGINAL_GONE
    except OSError as error:
        return f"it cannot be checked ({error.strerror})"
    return ""


def _changed(path: Path, was: Intent) -> str:
    now = look_at(path)
    if now is None:
        return "it is no longer where it was filed, or was seen last"
    return "" if is_photo_of(was, now, lambda: sha256_of(path)) else "it was changed since, or replaced by another file"
