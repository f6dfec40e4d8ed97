"""Where photos lie: local paths and URLs as the text of a table, and the file system behind a URL.

A table holds Unicode, and a local path is bytes. A path that is not UTF-8 stands in a table as a `file://` URL, whose
escapes hold its bytes. URLs of object storage are `s3://bucket/key` with the key as it is, without escapes, as fsspec
reads them.
"""

import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from bulk.errors import RootError
from common.packages import pip
from common.text import printable

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FILE = "file://"
_STAMPS = ("ETag", "etag", "e_tag", "mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""Where the file systems of fsspec say that content has changed; the surest one first."""


def is_url(text: str) -> bool:
    """Return whether a text is a URL, and not a local path."""
    return bool(_URL.match(text))


def text_of(path: bytes) -> str:
    """Return an absolute local path as the text of a table; `local_path` takes it back."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return _FILE + quote(path)


def local_path(text: str) -> Path | None:
    """Return the local path that a text of a table names; None for a URL of other storage."""
    if text.startswith(_FILE):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_FILE))))
    return None if is_url(text) else Path(text)


def storage_errors() -> tuple[type[Exception], ...]:
    """Return what fsspec's file systems raise when storage refuses or does not answer, after one of them is loaded."""
    named = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"), ("gcsfs.retry", "HttpError"))
    loaded = ((sys.modules.get(module), name) for module, name in named)
    return (OSError, *(getattr(module, name) for module, name in loaded if module is not None))


def absolute(where: str) -> str:
    """Return a folder or URL so that it means the same in every working directory."""
    return where if is_url(where) else str(Path(where).absolute())


def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec behind a URL, and the URL's path in it.

    Raises:
        RootError: the URL's kind is unknown, or the package that reads it is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        package = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs"}.get(url.partition("://")[0], "the package it names")
        raise RootError(
            f"{printable(url)} needs {package}, which is not installed ({error}). Install: {pip('install', package)}"
        ) from error
    except ValueError as error:
        raise RootError(
            f"{printable(url)} cannot be read ({error}). Name a folder, or a URL such as s3://bucket/folder."
        ) from error
    return system, str(path)


def stamp_of(found: Mapping[str, Any]) -> str:
    """Return what tells an object's content from another at the same place, of what its file system says about it."""
    stamp = next((found[key] for key in _STAMPS if found.get(key) is not None), "")
    return str(int(stamp.timestamp() * 1e9)) if isinstance(stamp, datetime) else str(stamp).strip('"')
