"""Labels as `phototriage labels export` writes them, one JSON object a line, and lists of filed photos."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from contract.formats import has_photo_name
from contract.labels import fault_of
from learn.errors import LearnError
from training.dataset.labelled.label_file import Label, json_objects, labels_in
from training.errors import DatasetError

__all__ = ["FiledPhoto", "Label", "read_filed", "read_labels", "spread"]


class FiledPhoto(NamedTuple):
    """A photo that was filed, of which nobody said anything.

    Attributes:
        sha256: of its bytes.
        path: where it lies.
        audited: what a person saw on it in an audit: evidence of the gate, and no lesson; empty if nobody was asked.
    """

    sha256: str
    path: Path
    audited: str = ""


def read_labels(file: Path) -> list[Label]:
    """Read labels, in the order of their photos' hashes, so that the order of the file does not matter.

    Args:
        file: of JSON lines, or a folder with a folder of photos for each class.

    Raises:
        LearnError: the file cannot be read, or a line is no label.
    """
    if file.is_dir():
        return _in_folders(file)
    with _as_learn_error():
        found = {label.sha256: label for label in labels_in(file)}
    return [found[sha256] for sha256 in sorted(found)]


def spread(labels: Sequence[Label], most: int) -> list[Label]:
    """Return at most so many labels: small classes keep all of theirs, and the others as many as each other.

    Args:
        labels: in the order of their hashes, which is random among photos. The first ones of a class are taken.
        most: how many.
    """
    share = left = most
    sizes = sorted(Counter(one.said for one in labels).values())
    for place, size in enumerate(sizes):
        share = left // (len(sizes) - place)
        if size > share:
            break
        left -= size
    taken = Counter[str]()
    found = []
    for one in labels:
        taken[one.said] += 1
        if taken[one.said] <= share:
            found.append(one)
    return found


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
    with _as_learn_error():
        for number, value in json_objects(file):
            try:
                if value["sha256"] and value["place"] and not value["said"]:
                    one = FiledPhoto(value["sha256"], Path(value["place"]), str(value.get("audited") or ""))
                    found.setdefault(one.sha256, one)
            except (KeyError, TypeError) as error:
                raise LearnError(f"Line {number} of {printable(file)} is no filed photo ({error}).") from error
    return list(found.values())


@contextmanager
def _as_learn_error() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise LearnError(str(error)) from error
