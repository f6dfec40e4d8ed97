"""A person's word about a photo, and what is found in such words about another one."""

from datetime import datetime
from typing import NamedTuple

from common.text import printable
from contract.fingerprint import Fingerprint
from contract.labels import OTHER
from daemon.photo import Embedding

KNOWN = "known: "
"""How the reason begins of a photo whose folder a person chose."""


class Word(NamedTuple):
    """What a person said of a photo, and by what the photo is known again.

    Attributes:
        label: the class, or `_other` for none of the classes.
        sha256: of the photo's bytes, hexadecimal.
        fingerprint: of its pixels; without it or the embedding, only the same bytes are known again.
        embedding: by the model that was in use when the fingerprint was made.
        taken: capture time, local to the camera; None if that is not known.
        name: of the file as it came.
    """

    label: str
    sha256: str
    fingerprint: Fingerprint | None = None
    embedding: Embedding | None = None
    taken: datetime | None = None
    name: str = ""


class Known(NamedTuple):
    """What a person said of this photo, or of one that it nearly equals.

    Attributes:
        label: the class, or `_other`.
        like: name of the photo that it nearly equals; None if it is the same.
    """

    label: str
    like: str | None = None

    def __str__(self) -> str:
        if self.label == OTHER:
            of = "this very photo is" if self.like is None else f"{printable(self.like)}, nearly the same photo, is"
            return f"{KNOWN}a person said that {of} of none of the classes"
        if self.like is None:
            return f"{KNOWN}a person put this very photo under {printable(self.label)}"
        return f"{KNOWN}nearly the same as {printable(f'{self.label}/{self.like}')}, which a person put there"
