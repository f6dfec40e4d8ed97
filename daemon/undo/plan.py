"""Plan an undo without touching anything: which photos can go back, under which names, which stay."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from daemon.copying.losses import Loss
from daemon.files.companion_names import companion_name
from daemon.files.identity import Identity, look_at
from daemon.files.limits import MAX_NAME_BYTES, SAFE_NAME_BYTES, most_bytes
from daemon.files.names import free_number, numbered
from daemon.filing.companions.replaced import is_kept
from daemon.ledger.intent import Intent
from daemon.ledger.movers import Mover
from daemon.ledger.queries import Record
from daemon.photo import Mode, Outcome
from daemon.undo.moved_companions import with_their_photo
from daemon.undo.obstacles import as_it_lies, dangling, mount_away, obstacle


class Roots(NamedTuple):
    """The two folders of a ledger."""

    inbox: Path
    output: Path


@dataclass(slots=True)
class Step:
    """The planned move of one photo or companion that was filed.

    Attributes:
        record: how it was filed.
        intent: the planned move; None if it stays where it is.
        root: the inbox or the output, below which it goes; no link below it is followed.
        reason: why it stays.
        note: a remark for its owner, although it goes back.
        lost: what the inbox's file system could not keep.
    """

    record: Record
    intent: Intent | None
    root: Path
    reason: str = ""
    note: str = ""
    lost: tuple[Loss, ...] = ()


def plan(photo: Record, companions: Sequence[Record], becomes: Outcome, promised: set[int], roots: Roots) -> list[Step]:
    """Plan the undo of a photo and its companions; nothing is touched.

    A photo that was refiled goes back to the class that it came from, any other one to the inbox. If a name there is
    taken, photo and companions get the same number.

    Args:
        photo: as it was filed.
        companions: filed with the photo; they go back as they are now.
        becomes: `undone` (the daemon leaves the photo alone from then on) or `retried`.
        promised: hashes of the names that earlier plans reserved; the names of this plan are added.
        roots: of the ledger.
    """
    photo = as_it_lies(photo)
    root = roots.output if photo.intent.refiles is not None else roots.inbox
    reason = mount_away(photo.intent) or _moved_by_its_owner(photo) or obstacle(photo)
    if reason:
        return [Step(photo, None, root, reason)]
    try:
        group, staying = travelling(photo, companions, root)
        back = []
        for record, target in zip(group, _free_targets(group, promised), strict=True):
            intent = _intent(record, target, becomes, photo.intent)
            back.append(Step(record, intent, root, note=dangling(record.intent)))
        return back + staying
    except OSError as error:  # it was removed between two checks
        return [Step(photo, None, root, f"it cannot be checked ({error.strerror})")]


def travelling(photo: Record, companions: Sequence[Record], root: Path) -> tuple[list[Record], list[Step]]:
    """Return a photo and the companions that go with it, and the steps of those that stay.

    Args:
        photo: as it lies.
        companions: filed with the photo.
        root: below which they go.
    """
    group, staying = [photo], []
    for record in with_their_photo(photo, _as_they_go(companions)):
        reason = _why_left_behind(record)
        if reason is None:
            group.append(record)
        elif reason:
            staying.append(Step(record, None, root, reason))
    return group, staying


def free_places(
    places: Callable[[int], Sequence[Path]], promised: set[int], *, numbered: bool = True
) -> Sequence[Path]:
    """Return the places of a photo and its companions with the first number that is free, and reserve them.

    Args:
        places: returns them for a number; 0 for the plain names.
        promised: hashes of reserved names; these are added.
        numbered: whether a taken name gets a number.
    """
    number = free_number(lambda number: all(_is_free(path, promised) for path in places(number))) if numbered else 0
    found = places(number)
    promised.update(map(_key, found))
    return found


def _free_targets(group: Sequence[Record], promised: set[int]) -> Sequence[Path]:
    moves = group[0].intent.mode is Mode.MOVE
    return free_places(partial(_targets, group), promised, numbered=moves)


def _moved_by_its_owner(photo: Record) -> str:
    """Return why a refiled photo stays: a person has corrected what was refiled wrongly."""
    if photo.intent.refiles is None or photo.path == photo.intent.destination:
        return ""
    return "its owner moved it since it was refiled"


def _as_they_go(companions: Sequence[Record]) -> list[Record]:
    """Return the companions; a sidecar that was replaced is moved in every mode, because it is the only one left."""
    return [
        replace(record, intent=replace(record.intent, mode=Mode.MOVE)) if is_kept(record.intent.destination) else record
        for record in companions
    ]


def _targets(group: Sequence[Record], number: int) -> list[Path]:
    """Return the paths that a photo and its companions go back to, all with the same number."""
    home = group[0].intent.source
    sources = [_home_of(record, group[0].intent) for record in group[1:]]
    most = MAX_NAME_BYTES
    if number:  # no longer than the former names: the limit that a file system reports may be wrong
        longest = max(len(os.fsencode(path.name)) for path in (home, *sources))
        most = min(most_bytes(home.parent), max(SAFE_NAME_BYTES, longest))
    photo = home.with_name(numbered(home.name, number, most))
    back = [path.with_name(companion_name(path, home, photo, most)) if number else path for path in sources]
    return [photo, *_distinct(back, [is_kept(record.intent.destination) for record in group[1:]])]


def _home_of(companion: Record, photo: Intent) -> Path:
    """Return where a companion goes back to: one that came after its photo was refiled goes with the photo."""
    was = companion.intent
    if photo.refiles is None or was.refiles is not None:
        return was.source
    return photo.source.with_name(companion_name(was.destination, photo.destination, photo.source))


def _distinct(paths: list[Path], kept: list[bool]) -> list[Path]:
    """Number the older versions of a sidecar, which have the path of the youngest; that one stands last."""
    found: dict[int, Path] = {}
    for place in reversed(range(len(paths))):
        path, number = paths[place], 0
        while (free := path.with_name(numbered(path.name, number))) in found.values() or (
            kept[place] and os.path.lexists(free)
        ):
            number += 1
        found[place] = free
    return [found[place] for place in range(len(paths))]


def _why_left_behind(record: Record) -> str | None:
    """Return why a companion does not go with its photo: None if it goes, an empty text if its owner removed it.

    A moved companion goes back as it is now, because companions are meant to be edited; a copy only if unchanged.
    """
    if record.intent.mode is Mode.MOVE:
        return None if look_at(record.path) is not None else ""
    if not os.path.lexists(record.path):
        return ""
    return obstacle(record) or None


def _is_free(target: Path, promised: set[int]) -> bool:
    return _key(target) not in promised and not os.path.lexists(target)


def _key(target: Path) -> int:
    """Return 64 bits for a name, because a million paths would take hundreds of megabytes.

    Two names of equal bits, one in 30 million undoes of a million photos, give one photo a number that it did not need.
    """
    return hash(os.fsencode(target))


def _intent(record: Record, target: Path, becomes: Outcome, photo: Intent) -> Intent:
    was = record.intent
    stays_held = becomes is Outcome.UNDONE and photo.refiles is None
    return replace(
        was,
        becomes=becomes,
        source=record.path,
        destination=target,
        identity=Identity.of(record.path.lstat()),
        sha256=was.sha256 if was.part_of is None else "",
        undoes=record.row,
        mover=Mover.UNDO,
        held=target if stays_held else None,
        times_ms=None,
        mount=None,
        refiles=None,
    )
