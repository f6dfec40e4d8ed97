"""Plan the move of one filed photo and its companions to another class; nothing is touched."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from daemon.files.companion_names import companion_name
from daemon.files.identity import Identity
from daemon.files.limits import MAX_NAME_BYTES
from daemon.files.names import numbered
from daemon.filing.companions.replaced import is_kept
from daemon.filing.destinations import fitted
from daemon.filing.layout import Layout
from daemon.ledger.intent import Intent
from daemon.ledger.movers import Mover
from daemon.ledger.queries import Record
from daemon.photo import Found, Judgement, Mode, Outcome, Photo
from daemon.undo.obstacles import as_it_lies, obstacle
from daemon.undo.plan import Roots, Step, free_places, travelling


class Proposal(NamedTuple):
    """A filed photo that belongs to another class now.

    Attributes:
        row: of the photo.
        judgement: how it is to be filed.
        relpath: its folder below the inbox, when it was filed.
        taken: when it was taken, local to the camera.
    """

    row: int
    judgement: Judgement
    relpath: Path
    taken: datetime


def plan(
    photo: Record, companions: Sequence[Record], proposal: Proposal, layout: Layout, roots: Roots, promised: set[int]
) -> list[Step]:
    """Plan the move of a photo; if its name is taken there, photo and companions get the same number.

    Args:
        photo: as it was filed.
        companions: filed with the photo; they go as they are now.
        proposal: where it belongs.
        layout: of the output.
        roots: of the ledger.
        promised: hashes of names that earlier plans reserved; the names of this plan are added.
    """
    photo, root = as_it_lies(photo), roots.output
    reason = "its owner moved it" if photo.path != photo.intent.destination else obstacle(photo)
    if reason:
        return [Step(photo, None, root, reason)]
    try:
        group, staying = travelling(photo, [_as_it_goes(one) for one in companions if _goes(one)], root)
        home = roots.output / _place(photo, proposal, layout, roots.output)
        targets = free_places(lambda number: _targets(group, home, number), promised)
        moves = [
            Step(one, _intent(one, target, proposal.judgement), root)
            for one, target in zip(group, targets, strict=True)
        ]
        return moves + staying
    except OSError as error:  # it was removed between two checks
        return [Step(photo, None, root, f"it cannot be checked ({error.strerror})")]


def _goes(companion: Record) -> bool:
    """Tell whether a companion goes along: an older version of a sidecar stays until its photo goes to the inbox."""
    return not is_kept(companion.intent.destination)


def _as_it_goes(companion: Record) -> Record:
    """Return a companion to be moved as it is now, however it was filed."""
    return replace(companion, intent=replace(companion.intent, mode=Mode.MOVE))


def _place(photo: Record, proposal: Proposal, layout: Layout, output: Path) -> Path:
    was, folder = photo.intent, proposal.judgement.folder
    name = was.destination.name
    like = Photo(Found(was.destination, was.identity, relpath=proposal.relpath))
    return fitted(lambda relpath: layout.path_of(folder, relpath, name, proposal.taken), output, like)


def _targets(group: Sequence[Record], home: Path, number: int) -> list[Path]:
    photo = home.with_name(numbered(home.name, number, MAX_NAME_BYTES))
    own = group[0].path
    return [photo, *(photo.with_name(companion_name(one.path, own, photo)) for one in group[1:])]


def _intent(record: Record, target: Path, judgement: Judgement) -> Intent:
    is_photo = record.intent.part_of is None
    return Intent(
        becomes=Outcome.FILED,
        source=record.path,
        destination=target,
        identity=Identity.of(record.path.lstat()),
        sha256=record.intent.sha256 if is_photo else "",
        label=judgement.label,
        probability=judgement.probability if is_photo else 0.0,
        top=judgement.top if is_photo else None,
        threshold=judgement.threshold,
        likeness=judgement.likeness if is_photo else None,
        reason=judgement.reason if is_photo else "it goes with its photo",
        model=judgement.model,
        provider=judgement.provider,
        known_as=judgement.said,
        mover=Mover.REFILE,
        refiles=record.row,
    )
