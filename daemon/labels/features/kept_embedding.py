"""The embedding of one photo, looked up by its content."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from daemon.ledger.embeddings import EMBEDDINGS, header_in, mapped_records
from daemon.photo import Embedding


def kept_embedding(state: Path, of: str, sha256: str) -> Embedding | None:
    """Return the embedding of a photo; None if it is not kept, or cannot be read.

    All hashes are read, 32 MB for a million photos, and nothing else.

    Args:
        state: folder of the ledger.
        of: id of the embedding.
        sha256: of the photo's bytes, hexadecimal.
    """
    wanted = np.frombuffer(bytes.fromhex(sha256), "<u8")
    with suppress(OSError):
        for records in mapped_records(state, of):
            (places,) = np.nonzero(records["sha256"][:, 0] == wanted[0])
            for place in places:
                if (records["sha256"][place] == wanted).all():
                    return Embedding(of, records["values"][place].tobytes())
    return None


def kept_id(state: Path) -> str:
    """Return the id of the embeddings in use; empty if there are none, or this user may not read them."""
    with suppress(OSError), (state / EMBEDDINGS).open("rb") as file:
        found = header_in(file)
        return "" if found is None else found[0]
    return ""
