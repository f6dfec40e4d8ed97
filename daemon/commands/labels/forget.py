"""`phototriage labels forget`: in every ledger of the output."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.commands.labels.learnt import learnt_since
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.forget_label import Content, said_since
from daemon.labels.by_hand.forget_label import forget as remove
from daemon.labels.by_hand.subject import NamedFile, known, named_file
from daemon.labels.by_hand.writing import may_write, writing
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.forget_embedding import forget_embedding
from daemon.ledger.reader import ask_ledger
from daemon.ledger.reading import find_ledgers

_SHA256 = re.compile("[0-9a-fA-F]{64}")


class Forgotten(NamedTuple):
    """What was removed.

    Attributes:
        named: the photo, as it was named.
        events: how many.
        embeddings: how many, from the files beside the ledgers.
        models: files of models that may have learnt from what was said.
    """

    named: str
    events: int
    embeddings: int
    models: tuple[str, ...]


def forget(which: Sequence[str], inbox: Path | None) -> Iterator[Forgotten]:
    """Forget photos, one after the other.

    Args:
        which: files, or SHA-256.
        inbox: of a ledger of the output; None for all ledgers.

    Raises:
        LabelError: nothing is known of a photo, or a ledger that knows it may not be written.
    """
    ledgers = find_ledgers(inbox)
    ledgers = list(dict.fromkeys([*ledgers, *(other for path in ledgers for other in other_ledgers(path))]))
    for name in which:
        events = embeddings = 0
        models: dict[str, None] = {}
        meant = list(_contents(name, ledgers))
        if closed := [
            ledger for ledger, content in meant if not may_write(ledger) and _since(ledger, content) is not None
        ]:
            raise LabelError(
                f"{printable(closed[0])} knows {printable(name)} too, and this user may not write it. Run the command "
                "as its owner, or with sudo; nothing was removed."
            )
        for ledger, content in meant:
            if may_write(ledger):
                if (since_s := _since(ledger, content)) is not None:
                    models |= dict.fromkeys(map(str, learnt_since(ledger, since_s)))
                with writing(ledger) as connection:
                    events += remove(connection, content)
                    embeddings += forget_embedding(ledger.parent, content.sha256) if content.sha256 else 0
        if not events and not embeddings:
            raise LabelError(f"Nothing was said about {printable(name)}, and no embedding of it is kept.")
        yield Forgotten(name, events, embeddings, tuple(models))


def _contents(name: str, ledgers: Sequence[Path]) -> Iterator[tuple[Path, Content]]:
    """Yield each ledger with the content that a name means there; all of them know a content, but not a path."""
    if _SHA256.fullmatch(name) and not Path(name).exists():
        yield from ((ledger, Content(name.lower(), None)) for ledger in ledgers)
        return
    named = named_file(Path(name))
    contents = {content for ledger in ledgers for content in _meant(ledger, named)}
    shared = {content for content in contents if content.sha256}
    for ledger in ledgers:
        yield from ((ledger, content) for content in shared | set(_meant(ledger, named)))


def _meant(ledger: Path, named: NamedFile) -> Iterator[Content]:
    if named.sha256:
        yield Content(named.sha256, None)
    subject = ask_ledger(ledger, lambda connection: known(connection, named))
    if subject is not None:
        yield Content(subject.sha256, None if subject.sha256 else subject.photo)


def _since(ledger: Path, content: Content) -> float | None:
    return ask_ledger(ledger, lambda connection: said_since(connection, content))
