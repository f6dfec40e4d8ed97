"""What finds a labelled photo and its near-duplicates again, as an export carries it to another ledger."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from contract.familiarity import MAX_DIMENSIONS
from contract.fingerprint import Fingerprint
from contract.labels import Side

_SHA256 = re.compile("[0-9a-f]{64}")
_TOLERANCE = 0.02  # of the square of an embedding's length


class Features(NamedTuple):
    """The columns of `labelled` that an export carries; each may be missing.

    Attributes:
        founder: SHA-256 of the photo that founded the group of near-duplicates.
        side: what the group is used for.
        taken: capture time, as the ledger stores it.
        fingerprint: of the pixels, packed.
        embedding_id: embeddings of different ids cannot be compared.
        embedding: float16 [D] in little-endian order.
    """

    founder: str | None
    side: str | None
    taken: float | None
    fingerprint: bytes | None
    embedding_id: str | None
    embedding: bytes | None

    def facts(self) -> dict[str, Any]:
        """Return them for JSON, without those that are missing."""
        found = {name: value for name, value in self._asdict().items() if value is not None}
        return {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in found.items()}


NO_FEATURES = Features(None, None, None, None, None, None)


def features_in(facts: Mapping[str, Any]) -> Features:
    """Return the features in a line of an export.

    Raises:
        ValueError, TypeError: one is not what it should be.
    """
    founder = facts.get("founder")
    if founder is not None and not _SHA256.fullmatch(founder):
        raise ValueError("`founder` is no SHA-256")
    side = None if founder is None else Side(str(facts.get("side"))).value
    taken = None if facts.get("taken") is None else float(facts["taken"])
    fingerprint, embedding = (_bytes(facts.get(name)) for name in ("fingerprint", "embedding"))
    if fingerprint is not None:
        Fingerprint.from_bytes(fingerprint)
    of = facts.get("embedding_id") if embedding is not None else None
    if embedding is not None and not (isinstance(of, str) and fingerprint is not None and _is_embedding(embedding)):
        raise ValueError("`embedding` needs `embedding_id` and `fingerprint`, and a length of one")
    return Features(founder, side, taken, fingerprint, of, embedding)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)


def _is_embedding(data: bytes) -> bool:
    if len(data) % 2 or not 0 < len(data) <= 2 * MAX_DIMENSIONS:
        return False
    values = np.frombuffer(data, "<f2").astype(np.float32)
    return bool(abs(float(values @ values) - 1) < _TOLERANCE)
