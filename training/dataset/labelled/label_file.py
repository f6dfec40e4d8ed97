"""Labels as `phototriage labels export` writes them, one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common.text import printable
from contract.labels import OTHER, Side, fault_of, side_of
from training.dataset.digests import SIZE
from training.errors import DatasetError


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


def labels_in(file: Path) -> Iterator[Label]:
    """Yield the labels of a file.

    Raises:
        DatasetError: the file cannot be read, or a line is no label.
    """
    for number, value in json_objects(file):
        try:
            yield _label(value)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"Line {number} of {printable(file)} is no label ({_fault(error)}). Export labels again: phototriage"
                " labels export labels.jsonl"
            ) from error


def json_objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and object of each line that is not empty.

    Raises:
        DatasetError: the file cannot be read, or a line is no JSON object.
    """
    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise DatasetError(f"Line {number} of {printable(file)} is no JSON object.")
                    yield number, value
    except OSError as error:
        raise DatasetError(
            f"{printable(file)} cannot be read ({error.strerror}). Pass a file that `phototriage labels export` wrote."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{printable(file)} is no file of JSON lines ({error}).") from error


def _label(value: dict[str, Any]) -> Label:
    sha256, said = str(value["sha256"]), str(value["said"])
    if len(bytes.fromhex(sha256)) != SIZE:
        raise ValueError("`sha256` is no SHA-256")
    if said != OTHER and (fault := fault_of(said)):
        raise ValueError(f"{said!r} cannot be a class: {fault}")
    path = None if value.get("path") is None else Path(value["path"])
    founder = str(value.get("founder") or sha256)
    side = Side(value.get("side") or side_of(founder))  # as the daemon will draw it
    shown, is_filed = str(value.get("shown") or ""), value.get("photo") is not None
    return Label(sha256, said, path, founder, side is Side.HELD_OUT, side is Side.NEITHER, shown, is_filed)


def _fault(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
