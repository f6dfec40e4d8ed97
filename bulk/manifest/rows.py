"""Turns listed photos into rows of a manifest: keys, which are bytes, become the text of a table."""

from collections.abc import Sequence
from urllib.parse import quote

import pyarrow as pa

from bulk.manifest.schema import table
from bulk.storage import text_of


def rows(
    base: bytes, prefix: bytes, names: Sequence[bytes], sizes: Sequence[int | None], stamps: Sequence[str]
) -> pa.Table:
    """Return the rows of photos in one folder.

    Args:
        base: what stands before a key: a local root or a URL, with its slash.
        prefix: key of the folder.
        names: of the photos.
        sizes: bytes of each.
        stamps: as bulk/manifest/schema.py says.
    """
    try:
        head, relpath = (base + prefix).decode(), prefix[:-1].decode()
        paths, relpaths = [head + name.decode() for name in names], [relpath] * len(names)
    except UnicodeDecodeError:
        paths = [text_of(base + prefix + name) for name in names]
        relpaths = [_relpath(path, prefix[:-1]) for path in paths]
    return table(paths, relpaths, sizes, stamps)


def _relpath(path: str, folder: bytes) -> str:
    """The folder as text, with escapes where its path has them."""
    return quote(folder) if path.startswith("file://") else folder.decode()
