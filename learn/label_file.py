"""Labels as `phototriage labels export` writes them, one JSON object a line, and lists of filed photos."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common.text import printable
from contract.formats import has_photo_name
from contract.labels import OTHER, Side, fault_of, side_of
from learn.errors import LearnError


class Label(NamedTuple):
    """What a person said of one photo.

    Attributes:
        sha256: of the photo's bytes.
        said: the class, or `_other` for none of the classes.
        path: where the photo lies; None if it is gone.
        founder: SHA-256 of the photo that founded its group of near-duplicates; its own if it has no group yet.
        is_held_out: whether its group tests what was learnt, and is not learnt from.
        is_neither: whether it is near to groups of both kinds, so that it is used for nothing.
        shown: what the model had said.
        is_filed: whether the model filed it, so that its label is also an answer about what the model does.
    """

    sha256: str
    said: str
    path: Path | None
    founder: str
    is_held_out: bool
    is_neither: bool
    shown: str
    is_filed: bool = False


class FiledPhoto(NamedTuple):
    """A photo that was filed, of which nobody said anything.

    Attributes:
        sha256: of its bytes.
        path: where it lies.
    """

    sha256: str
    path: Path


def read_labels(file: Path) -> list[Label]:
    """Read labels, in the order of their photos' hashes, so that the order of the file does not matter.

    Args:
        file: of JSON lines, or a folder with a folder of photos for each class.

    Raises:
        LearnError: the file cannot be read, or a line is no label.
    """
    if file.is_dir():
        return _in_folders(file)
    found: dict[str, Label] = {}
    for number, value in _objects(file):
        try:
            label = _label(value)
        except (KeyError, TypeError, ValueError) as error:
            raise LearnError(
                f"Line {number} of {printable(file)} is no label ({error}). Export labels again: phototriage labels"
                " export labels.jsonl"
            ) from error
        found[label.sha256] = label
    return [found[sha256] for sha256 in sorted(found)]


def _in_folders(root: Path) -> list[Label]:
    found: dict[str, Label] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))):
        if fault := fault_of(folder.name):
            raise LearnError(f"The folder {printable(folder)} cannot be a class: {fault}")
        for path in sorted(path for path in folder.rglob("*") if has_photo_name(path) and path.is_file()):
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            known = found.setdefault(sha256, Label(sha256, folder.name, path, sha256, False, False, ""))
            if known.said != folder.name:
                raise LearnError(f"{printable(path)} lies in {printable(known.said)} too. Remove it from one of them.")
    if not found:
        raise LearnError(f"{printable(root)} has no folders with photos. Make one folder for each class.")
    return [found[sha256] for sha256 in sorted(found)]


def read_filed(file: Path) -> list[FiledPhoto]:
    """Read photos as `phototriage history --json` writes them; those without a hash are left out."""
    found: dict[str, FiledPhoto] = {}
    for number, value in _objects(file):
        try:
            if value["sha256"] and value["place"] and not value["said"]:
                found.setdefault(value["sha256"], FiledPhoto(value["sha256"], Path(value["place"])))
        except (KeyError, TypeError) as error:
            raise LearnError(f"Line {number} of {printable(file)} is no filed photo ({error}).") from error
    return list(found.values())


def _objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise LearnError(f"Line {number} of {printable(file)} is no JSON object.")
                    yield number, value
    except OSError as error:
        raise LearnError(f"{printable(file)} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise LearnError(f"{printable(file)} is no file of JSON lines ({error}).") from error


def _label(value: dict[str, Any]) -> Label:
    sha256, said = str(value["sha256"]), str(value["said"])
    bytes.fromhex(sha256)
    if said != OTHER and (fault := fault_of(said)):
        raise ValueError(f"{said!r} cannot be a class: {fault}")
    path = None if value.get("path") is None else Path(value["path"])
    founder = str(value.get("founder") or sha256)
    side = Side(value.get("side") or side_of(founder))  # as the daemon will draw it
    shown, is_filed = str(value.get("shown") or ""), value.get("photo") is not None
    return Label(sha256, said, path, founder, side is Side.HELD_OUT, side is Side.NEITHER, shown, is_filed)
