"""Lists storage behind URLs: S3 page by page, and whatever else fsspec reads folder by folder."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from bulk.errors import RootError
from bulk.manifest.rows import rows
from bulk.manifest.rules import is_closed, is_entered, is_photo
from bulk.manifest.walk import PAGE, Files, Lister, Page
from bulk.storage import file_system, stamp_of, storage_errors
from common.text import printable

_HERE = (FileNotFoundError, NotADirectoryError, PermissionError)
"""What is wrong with one folder, and not with the storage."""

Entry = tuple[bytes, int, str]


def open_storage(url: str) -> Lister:
    """Return what lists the photos below a URL.

    Raises:
        RootError: the URL's kind is unknown, or a package is missing.
    """
    system, path = file_system(url)
    return Bucket(url, system, path) if url.startswith(("s3://", "s3a://")) else Storage(url, system, path)


class Storage:
    """A tree in storage that fsspec reads. One folder's names are held at a time.

    Args:
        url: the root.
        system: fsspec's file system of it.
        path: of the root in the file system.
    """

    def __init__(self, url: str, system: Any, path: str) -> None:
        self.base = (url if url.endswith("/") else f"{url}/").encode()
        self._url = url
        self._system = system
        self._path = path.rstrip("/")

    def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
        """Yield the photos and folders of a folder."""
        folder = f"{self._path}/{prefix.decode()}".rstrip("/")
        found = self._answer(self._system.ls, folder, detail=True)
        entries = [_entry(one) for one in found]
        if prefix and is_closed({name for name, _, _ in entries}):
            return
        entries = sorted(filter(_is_listed, entries))
        for first in range(0, len(entries), PAGE):
            yield _page(entries[first : first + PAGE])

    def table(self, files: Files) -> tuple[pa.Table, Sequence[int], list[str]]:
        """Return the rows of photos; the listing has told all of them."""
        page = files.page
        sizes, stamps = page.sizes or (), page.stamps or ()
        return rows(self.base, files.prefix, page.names, sizes, stamps), range(len(page.names)), []

    def _answer(self, ask: Callable[..., Any], *words: str, **named: Any) -> Any:
        """Ask the storage. A folder that may not be read is an OSError; no answer at all ends the listing."""
        try:
            return ask(*words, **named)
        except _HERE:
            raise
        except storage_errors() as error:
            raise RootError(
                f"{printable(self._url)} does not answer as it should ({error}). Run the same command again: it goes "
                "on where it was."
            ) from error


class Bucket(Storage):
    """A tree in S3, listed in pages of 1,000 keys, so that a folder may hold any number of photos."""

    def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
        """Yield the photos and folders of a folder; S3 sends them in the order of their keys."""
        bucket, _, root = self._path.partition("/")
        below = f"{root}/" if root else ""
        asked = {"Bucket": bucket, "Prefix": below + prefix.decode(), "Delimiter": "/"}
        if after:
            # Without its last folder, because services disagree about a key inside of a folder to be listed.
            asked["StartAfter"] = below + prefix.decode() + after[len(prefix) :].decode().partition("/")[0]
        while True:
            answer = self._answer(self._system.call_s3, "list_objects_v2", **asked)
            entries = list(_of_answer(answer, len(asked["Prefix"])))
            if prefix and is_closed({name for name, _, _ in entries}):
                return
            yield _page(sorted(filter(_is_listed, entries)))
            if not answer.get("IsTruncated"):
                return
            asked = {**asked, "ContinuationToken": answer["NextContinuationToken"]}


def _of_answer(answer: Any, skipped: int) -> Iterator[Entry]:
    """The entries of one answer of S3, without the first characters of their keys."""
    for common in answer.get("CommonPrefixes", ()):
        yield common["Prefix"][skipped:].encode(), 0, ""
    for content in answer.get("Contents", ()):
        yield content["Key"][skipped:].encode(), content["Size"], stamp_of(content)


def _entry(found: dict[str, Any]) -> Entry:
    name = str(found["name"]).rstrip("/").rpartition("/")[2].encode()
    if found["type"] == "directory":
        return name + b"/", 0, ""
    return name, found["size"], stamp_of(found)


def _is_listed(entry: Entry) -> bool:
    name = entry[0]
    return is_entered(name[:-1]) if name.endswith(b"/") else is_photo(name)


def _page(entries: Sequence[Entry]) -> Page:
    return Page([name for name, _, _ in entries], [size for _, size, _ in entries], [stamp for _, _, stamp in entries])
