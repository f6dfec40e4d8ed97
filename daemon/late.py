"""Companions that come after their photo was filed: they follow it to where it lies."""

import os
from dataclasses import replace
from pathlib import Path

from contract.text import printable
from daemon.beneath import leads_astray
from daemon.companions import LATE_S, WAITS, companion_name, photo_is_coming
from daemon.destinations import join
from daemon.ledger import Ledger
from daemon.names import free_name
from daemon.photo import Mode, Outcome, Photo
from daemon.rules import Rules


def find_photo(part: Photo, ledger: Ledger, output: Path, rules: Rules, now_s: float) -> bool:
    """Give a companion its place beside the photo of its name that was filed last, if that still lies there.

    Args:
        part: the companion.
        ledger: what was filed.
        output: root of the class folders.
        rules: by what photos are filed now; the companion gets those of its photo.
        now_s: wall time.

    Raises:
        sqlite3.Error: the ledger cannot be read.
    """
    if rules.mode is Mode.MOVE and photo_is_coming(part.path):
        return False
    for row, was in reversed(ledger.of_name(part.path.parent, part.path.stem, now_s - LATE_S).items()):
        if os.path.lexists(was.destination) and not leads_astray(was.destination.parent, output):
            name = companion_name(part.path, was.source, was.destination)
            join(part, was.destination, free_name(was.destination.parent, name))
            part.follows_row, part.outcome, part.label = row, was.becomes, was.label
            thresholds = {was.label: was.threshold}  # and its model: another one may serve by now
            part.rules = replace(rules, thresholds=thresholds, model=was.model, provider=was.provider)
            part.reason = f"it follows {printable(was.destination.name)}"
            return True
    return False


def stay(part: Photo) -> None:
    """Let a companion wait in the inbox."""
    part.destination, part.follows, part.follows_row = None, None, None
    part.outcome, part.reason = Outcome.LEFT, WAITS
