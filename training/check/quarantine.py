"""Move what is broken out of a dataset: nothing is deleted, nothing overwritten, and there is a way back.

Each move is noted before it is made, in `moved.jsonl` for programs and as a line of `go-back.sh` for people. A kill in
between leaves a note of a file that was not moved, which the way back passes over.
"""

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.errors import PhotoError, Reason
from contract.publish import sync_directory
from training.check.kinds import Finding, Kind
from training.check.photo import read_photo
from training.check.report import Report, to_json
from training.errors import TrainingError
from training.second_name import free_names, place

LIST, BACK = "moved.jsonl", "go-back.sh"
BROKEN = frozenset((Reason.EMPTY, Reason.NOT_A_PHOTO, Reason.TRUNCATED, Reason.CORRUPT))
"""Reasons that lie in the file. One that merely may not be read, is too large or of a format that is not installed
stays: it is a good photo for another user or another machine."""


@dataclass(frozen=True)
class Moved:
    """One file that now stands elsewhere, and why."""

    source: Path
    target: Path
    why: str


def check_quarantine(folder: Path, dataset: Path) -> None:
    """Raise TrainingError unless the folder is one, or can be made, outside the dataset and not around it."""
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"The quarantine {folder} is a file. Pass a folder.")
    own, other = folder.resolve(), dataset.resolve()
    if own.is_relative_to(other) or other.is_relative_to(own):
        raise TrainingError(
            f"The quarantine {folder} and the dataset {dataset} lie inside each other, so that what is moved aside"
            " would come back as photos. Choose a folder beside the dataset."
        )


def quarantine(report: Report, digests: Sequence[bytes], folder: Path) -> list[Moved]:
    """Move unreadable and blank files to `folder`, under the path that they had below the dataset.

    A file that has changed since it was looked at stays where it is.

    Args:
        digests: SHA-256 of each photo of the dataset when it was looked at.

    Raises:
        TrainingError: the folder cannot be written, or a file not be moved; what was moved until then is listed.
    """
    moved: list[Moved] = []
    wanted = [finding for finding in report.findings if _is_broken(finding)]
    if not wanted:
        return moved
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for finding in wanted:
            number = finding.photos[0]
            source = report.dataset.photos[number].path
            if _unchanged(source, digests[number]):
                target = _move(source, folder / report.relative(number), finding.detail, folder)
                moved.append(Moved(source, target, f"{finding.kind}: {finding.detail}"))
    except OSError as error:
        raise TrainingError(
            f"The quarantine {folder} could not be filled ({error.strerror or error}): {len(moved)} of {len(wanted)}"
            f" files were moved, and {folder / BACK} brings them back. Nothing is lost."
        ) from error
    return moved


def _is_broken(finding: Finding) -> bool:
    return finding.kind is Kind.BLANK or (finding.kind is Kind.UNREADABLE and finding.facts["reason"] in BROKEN)


def _unchanged(path: Path, digest: bytes) -> bool:
    try:
        return hashlib.sha256(read_photo(path)).digest() == digest
    except PhotoError:
        return False


def _move(source: Path, wanted: Path, why: str, folder: Path) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for target in free_names(wanted):
        if os.path.lexists(target):
            continue
        _note(folder, source, target, why)
        try:
            place(source, target)
        except FileExistsError:
            continue  # somebody was faster; the note names a file that is still where it was
        sync_directory(target.parent)
        source.unlink()
        return target
    raise AssertionError("names do not end")


def _note(folder: Path, source: Path, target: Path, why: str) -> None:
    """Write down one move, durably, before it is made."""
    line = to_json({"from": str(source.absolute()), "to": str(target.absolute()), "why": why}) + "\n"
    _append(folder / LIST, line)
    back = folder / BACK
    if not back.exists():
        _append(back, "#!/bin/sh\n# Puts everything back where it was, and overwrites nothing: sh go-back.sh\n")
    names = " ".join(shlex.quote(str(path.absolute())) for path in (target, source))
    _append(back, f"mv -n -- {names}\n")


def _append(file: Path, text: str) -> None:
    with file.open("ab") as out:
        out.write(os.fsencode(text))
        out.flush()
        os.fsync(out.fileno())
