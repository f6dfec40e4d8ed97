"""The folder of one collection, which a killed collection can go on with.

    collected-0001-0123456789ab.jpg   candidates, the likeliest first
    sources.csv                       one row for each photo that was ever kept here
    .seen.jsonl                       what became of each URL that was downloaded
    .SHA256.part                      a photo on its way

A photo is kept in three steps: its file under a hidden name, its row, its name. So no photo is ever visible without its
row. If the process ends between them, the next one gives the name, or removes a file that has no row.
"""

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from collect.errors import CollectError
from common.publish import sync_directory
from common.sources import COLLECTED, SOURCES, Source, csv_row, is_collected, read_sources
from common.text import printable
from contract.fingerprint import Fingerprint
from contract.formats import SNIFF_BYTES, sniff

SEEN = ".seen.jsonl"
_PART = ".part"
_ENDINGS = {"JPEG": "jpg", "JPEG2000": "jp2", "TIFF": "tif", "HEIF": "heic"}


class Collection:
    """Use `opened`.

    Attributes:
        folder: of the collection.
        rows: of sources.csv, by SHA-256.
        fingerprints: of the photos that were kept.
    """

    def __init__(self, folder: Path, sources: BinaryIO, seen: BinaryIO) -> None:
        self.folder, self._sources, self._seen = folder, sources, seen
        self.rows = {row.sha256: row for row in read_sources(folder / SOURCES)}
        self._urls: set[str] = set()
        self.fingerprints: list[Fingerprint] = []
        for url, mark in _notes(folder / SEEN):
            self._urls.add(url)
            if mark is not None:
                self.fingerprints.append(mark)

    def is_done(self, url: str) -> bool:
        """Return whether it is known what became of a URL."""
        return url in self._urls

    def part(self, sha256: str) -> Path:
        """Return where a photo lies on its way."""
        return self.folder / f".{sha256}{_PART}"

    def keep(self, source: Source, mark: Fingerprint) -> None:
        """Keep the photo that lies at `part`."""
        if source.sha256 not in self.rows:
            _append(self._sources, _csv(csv_row(source)))
            self.rows[source.sha256] = source
        self.end(source.url, "kept", mark)
        _give_name(self.part(source.sha256), source.sha256)
        sync_directory(self.folder)

    def end(self, url: str, outcome: str, mark: Fingerprint | None = None) -> None:
        """Note what became of a URL, so that it is not downloaded again."""
        note = {"url": url, "outcome": outcome} | ({} if mark is None else {"fingerprint": mark.to_bytes().hex()})
        _append(self._seen, json.dumps(note).encode() + b"\n")
        self._urls.add(url)
        if mark is not None:
            self.fingerprints.append(mark)

    def photos(self) -> list[Path]:
        """Return the candidates that lie here now."""
        return sorted(path for path in self.folder.iterdir() if is_collected(path.name) and path.is_file())


@contextmanager
def opened(folder: Path) -> Iterator[Collection]:
    """Open or make the folder of a collection, and finish what a killed one left.

    Raises:
        CollectError: the folder cannot be written, or another collection has it open.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / SOURCES).open("a+b") as sources, (folder / SEEN).open("a+b") as seen:
            _lock(sources, folder)
            _without_torn_line(sources)
            _without_torn_line(seen)
            if not sources.tell():
                _append(sources, _csv(Source._fields))
            collection = Collection(folder, sources, seen)
            _recover(collection)
            yield collection
    except OSError as error:
        raise CollectError(
            f"The collection in {printable(folder)} cannot be written ({error.strerror}). Pass another --output."
        ) from error


def ranked_name(rank: int, photo: Path) -> str:
    """Return the name of a candidate by its place in the order."""
    return f"{COLLECTED}-{rank:04d}-{photo.name.rpartition('-')[2]}"


def _give_name(part: Path, sha256: str) -> None:
    with part.open("rb") as file:
        kind = sniff(file.read(SNIFF_BYTES)) or ""
    ending = _ENDINGS.get(kind, kind.lower())
    part.rename(part.with_name(f"{COLLECTED}-{sha256[:12]}.{ending}"))


def _recover(collection: Collection) -> None:
    for part in collection.folder.glob(f".*{_PART}"):
        sha256 = part.name.removeprefix(".").removesuffix(_PART)
        if sha256 in collection.rows:
            _give_name(part, sha256)
        else:
            part.unlink()


def _lock(file: BinaryIO, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CollectError(
            f"Another collection writes to {printable(folder)}. Wait until it ends, or pass another --output."
        ) from error


def _without_torn_line(file: BinaryIO) -> None:
    """Cut off what a killed process wrote of its last line, and go to the end."""
    file.seek(0)
    whole = file.read().rpartition(b"\n")
    file.truncate(len(whole[0]) + len(whole[1]))
    file.seek(0, os.SEEK_END)


def _append(file: BinaryIO, line: bytes) -> None:
    file.write(line)
    file.flush()
    os.fsync(file.fileno())


def _csv(cells: "list[str] | tuple[str, ...]") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _notes(file: Path) -> Iterator[tuple[str, Fingerprint | None]]:
    """URL and fingerprint of each note; a damaged one is left out, and its URL is downloaded again."""
    with file.open("rb") as lines:
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):
                note = json.loads(line)
                packed = note.get("fingerprint") if isinstance(note, dict) else None
                yield note["url"], packed and Fingerprint.from_bytes(bytes.fromhex(packed))
