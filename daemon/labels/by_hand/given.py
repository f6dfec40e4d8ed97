"""Reads labels that somebody brings: a table of paths and classes, an export, or a folder of class folders."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from common.text import printable
from daemon.intake.names.junk import why_not_entered
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.features import NO_FEATURES, Features, features_in
from daemon.labels.listed.folder_reader import is_taken

_HEADERS = {"path": ("path", "file", "photo", "image"), "label": ("label", "class", "said")}


class Given(NamedTuple):
    """One label that is brought.

    Attributes:
        said: the class, as it is spelled there.
        path: of the photo, absolute; empty if only its content is known.
        sha256: of its content; empty if the file must be read.
        name: of the photo's file.
        shown: class that a model gave then; empty if it is not told.
        probability: of that class.
        model: SHA-256 of the model file.
        features: what an export knows of the content beside.
    """

    said: str
    path: str
    sha256: str = ""
    name: str = ""
    shown: str = ""
    probability: float = 0.0
    model: str = ""
    features: Features = NO_FEATURES


def given_in(source: Path) -> Iterator[Given]:
    """Yield the labels of a source.

    Args:
        source: a folder of class folders, a `.jsonl` file as `labels export` makes it, or a CSV file with the columns
            path and label; paths in it are relative to its folder.

    Raises:
        LabelError: it cannot be read, or a line of it is no label.
    """
    try:
        if source.is_dir():
            yield from _in_folders(source)
            return
        with source.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from (
                _in_lines(file, source) if source.suffix.lower() in (".jsonl", ".ndjson") else _in_table(file, source)
            )
    except OSError as error:
        raise LabelError(f"{printable(source)} cannot be read ({error.strerror}).") from error


def _in_folders(source: Path) -> Iterator[Given]:
    """Yield the files below each class folder; hidden, unfinished and junk names are left out, as in the output."""
    closed: list[OSError] = []
    for folder, inner, names in os.walk(source, onerror=closed.append):
        inner[:] = sorted(name for name in inner if not why_not_entered(name) and not name.startswith("_"))
        below = Path(folder).relative_to(source).parts
        for name in sorted(names) if below else ():
            path = f"{folder}/{name}"
            if is_taken(name) and not Path(path).is_symlink():
                yield Given(below[0], path, name=name)
    for error in closed:  # reading it fails once more, and is counted
        yield Given(Path(error.filename).name, str(error.filename))


def _in_table(file: IO[str], source: Path) -> Iterator[Given]:
    first = file.readline()
    delimiter = max(",;\t", key=first.count)
    file.seek(0)
    columns = (0, 1)
    try:
        for number, row in enumerate(csv.reader(file, delimiter=delimiter), 1):
            if not any(row):
                continue
            if number == 1 and (named := _columns(row)) is not None:
                columns = named
            elif max(columns) >= len(row):
                raise LabelError(f"{printable(source)}, line {number}: a path and a class are needed.")
            else:
                path, said = (row[column].strip() for column in columns)
                yield Given(said, str(source.parent.absolute() / path), name=Path(path).name)
    except csv.Error as error:
        raise LabelError(f"{printable(source)} is no CSV file ({error}).") from error


def _columns(row: list[str]) -> tuple[int, int] | None:
    """Return where path and label stand, if this is a line of headings."""
    words = [word.strip().lower() for word in row]
    found = [next((words.index(name) for name in names if name in words), -1) for names in _HEADERS.values()]
    return None if -1 in found else (found[0], found[1])


def _in_lines(file: Iterable[str], source: Path) -> Iterator[Given]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield _of_line(json.loads(line), source.parent.absolute())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise LabelError(
                f"{printable(source)}, line {number}: this is no label as `labels export` writes it ({error})."
            ) from error


def _of_line(facts: dict[str, Any], folder: Path) -> Given:
    said, path, sha256 = facts["said"], facts.get("path") or "", facts.get("sha256") or ""
    if not isinstance(said, str) or not said or not isinstance(path, str) or not (path or sha256):
        raise ValueError("it needs `said`, and `sha256` or `path`")
    if sha256 and len(bytes.fromhex(sha256)) != 32:
        raise ValueError("`sha256` is no SHA-256")
    name = facts.get("name") or Path(path).name
    shown, model, probability = facts.get("shown") or "", facts.get("model") or "", float(facts.get("probability") or 0)
    for text in (shown, model):
        text.encode()
    for text in (path, name):
        os.fsencode(text)
    if not 0 <= probability <= 1:
        raise ValueError("`probability` is none")
    features = features_in(facts) if sha256 else NO_FEATURES
    return Given(said, str(folder / path) if path else "", sha256.lower(), name, shown, probability, model, features)
