"""The look of a command at the output of a ledger, before it says or shows something.

A photo that was edited and moved is known again by the model in use, as in the daemon. The model is opened only if
there is such a photo.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.errors import PhototriageError
from contract.shipped import SHIPPED_MODEL
from daemon.labels.contents import OutputContents
from daemon.labels.features.kept_embedding import kept_embedding, kept_id
from daemon.labels.listed.tree import EMPTY, Tree
from daemon.labels.looker import Looker
from daemon.labels.rows import RowId
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.reader import ask_ledger
from daemon.ledger.recorded_roots import LedgerRoots
from daemon.models.history import serving
from daemon.photo import Embedding
from daemon.process.clock import Clock

if TYPE_CHECKING:
    from daemon.labels.features.photo import PhotoFeatures


class FirstLook(NamedTuple):
    """What a command saw before it began.

    Attributes:
        obstacle: why the output could not be looked at; empty if it was.
        tree: the output as it was seen.
    """

    obstacle: str
    tree: Tree


def look_first(ledger: Path, now_s: float) -> FirstLook:
    """Look at the output of a ledger that may be written; what hinders the look is in the answer.

    Args:
        ledger: its file, of this version.
        now_s: wall time.
    """
    roots = LedgerRoots(ledger)
    output, inbox = roots.get("output"), roots.get("inbox")
    if output is None:
        return FirstLook("nothing was filed yet", EMPTY)
    left_out = [] if inbox is None else [inbox.path]
    try:
        with _contents(ledger, output.path) as contents:
            looker = Looker(ledger, contents, partial(other_ledgers, ledger), left_out)
            looked = looker.look(now_s)
            looker.keep()
    except (OSError, PhototriageError) as error:
        return FirstLook(f"the output cannot be read now ({error})", EMPTY)
    return FirstLook("another process looks at this moment" if looked is None else looked.obstacle, looker.tree)


@contextmanager
def _contents(ledger: Path, output: Path) -> Iterator[OutputContents]:
    with ExitStack() as stack:
        likeness = _Likeness(ledger, output, stack)
        yield OutputContents(output, likeness.embedding_of, likeness.embedding_at)


class _Likeness:
    """Embeddings of filed photos and of files, as far as there are any."""

    def __init__(self, ledger: Path, output: Path, stack: ExitStack) -> None:
        self._ledger, self._output, self._stack = ledger, output, stack

    def embedding_of(self, row: RowId) -> Embedding | None:
        """Return the embedding that the photo of a row had when it was filed."""
        asked = "SELECT sha256 FROM photos WHERE id = ?"
        sha256 = ask_ledger(self._ledger, lambda connection: connection.execute(asked, (row[1],)).fetchone())
        if row[0] != str(self._ledger) or sha256 is None or not sha256[0] or not self._id:
            return None
        return kept_embedding(self._ledger.parent, self._id, sha256[0])

    def embedding_at(self, place: str) -> Embedding | None:
        """Return the embedding of the file at a place."""
        found = None if self._features is None else self._features.of(self._output / place)
        return None if found is None else found.embedding

    @cached_property
    def _id(self) -> str:
        return kept_id(self._ledger.parent)

    @cached_property
    def _features(self) -> "PhotoFeatures | None":
        from contract.session import open_model
        from daemon.classify.loaded_model import LoadedModel, rules_of
        from daemon.labels.features.photo import PhotoFeatures
        from daemon.predict import trial_guard

        entry = ask_ledger(self._ledger, serving)
        file = SHIPPED_MODEL if entry is None else entry.file  # `sort` leaves no entry
        with suppress(OSError, PhototriageError):
            model = open_model(file, "cpu")
            loaded = LoadedModel(model, rules_of(model, "off"), file)
            guard = self._stack.enter_context(trial_guard(self._ledger.parent))
            return PhotoFeatures(lambda: loaded, guard, Clock())
        return None
