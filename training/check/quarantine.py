"""Move broken files out of a dataset. Nothing is deleted or overwritten, and every move can be undone.

Each move is recorded before it happens, in `moved.jsonl` for programs and as a line of `go-back.sh` for people. A kill
in between leaves a record of a file that was not moved; `go-back.sh` skips it.
"""

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import PhotoError, Reason
from common.publish import sync_directory
from training.check.kinds import Finding, Kind
from training.check.photo import read_photo
from training.check.report import Report, to_json
from training.errors import TrainingError
from training.second_name import free_names, link_or_copy

MOVES_LIST, UNDO_SCRIPT = "moved.jsonl", "go-back.sh"
BROKEN = frozenset((Reason.EMPTY, Reason.NOT_A_PHOTO, Reason.TRUNCATED, Reason.CORRUPT))
"""Reasons in the file itself. A file without read permission, too large, or of a format that is not installed stays,
because another user or machine may be able to read it."""


@dataclass(frozen=True)
class MovedFile:
    """A file in the quarantine, and why it was moved."""

    source: Path
    target: Path
    why: str


def check_quarantine(folder: Path, dataset: Path) -> None:
    """Raise TrainingError unless the quarantine is a folder, or new, and neither inside nor around the dataset."""
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"The quarantine {folder} is a file. Pass a folder.")
    own, other = folder.resolve(), dataset.resolve()
    if own.is_relative_to(other) or other.is_relative_to(own):
        raise TrainingError(
            f"The quarantine {folder} and the dataset {dataset} lie inside each other, so moved files would be found"
            " as photos again. Pass a folder beside the dataset."
        )


def quarantine(report: Report, digests: Sequence[bytes], folder: Path) -> list[MovedFile]:
    """Move unreadable and blank files to `folder`, keeping their paths relative to the dataset.

    A file that has changed since the scan is not moved.

    Args:
        digests: SHA-256 of each photo of the dataset during the scan.

    Raises:
        TrainingError: the folder cannot be written, or a file cannot be moved. Files moved before are listed.
    """
    moved: list[MovedFile] = []
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
                moved.append(MovedFile(source, target, f"{finding.kind}: {finding.detail}"))
    except OSError as error:
        raise TrainingError(
            f"The quarantine {folder} cannot be written ({error.strerror or error}). {len(moved)} of {len(wanted)}"
            f" files were moved, and nothing is lost. To move them back, run sh {folder / UNDO_SCRIPT}."
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
        _record_move(folder, source, target, why)
        try:
            link_or_copy(source, target)
        except FileExistsError:
            continue  # another process was faster; the recorded move names a file that was not moved
        sync_directory(target.parent)
        source.unlink()
        return target
    raise AssertionError("names do not end")


def _record_move(folder: Path, source: Path, target: Path, why: str) -> None:
    """Record one move durably before it happens."""
    line = to_json({"from": str(source.absolute()), "to": str(target.absolute()), "why": why}) + "\n"
    _append(folder / MOVES_LIST, line)
    back = folder / UNDO_SCRIPT
    if not back.exists():
        _append(back, "#!/bin/sh\n# Puts everything back where it was, and overwrites nothing: sh go-back.sh\n")
    names = " ".join(shlex.quote(str(path.absolute())) for path in (target, source))
    _append(back, f"mv -n -- {names}\n")


def _append(file: Path, text: str) -> None:
    with file.open("ab") as out:
        out.write(os.fsencode(text))
        out.flush()
        os.fsync(out.fileno())
