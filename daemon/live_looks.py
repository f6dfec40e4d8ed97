"""Looks at the output once a minute while photos are filed, and lets what people say count at once.

One thread does it, apart from the pipeline: a look may read many files, and no photo waits for it.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.decode.isolated import StoppedError
from daemon.labels.contents import LookStoppedError, OutputContents
from daemon.labels.features.kept_embedding import kept_embedding
from daemon.labels.features.make import SOME, make_features, try_again
from daemon.labels.features.photo import PhotoFeatures
from daemon.labels.features.words import WordsInForce
from daemon.labels.looker import Looked, Looker, last_look_s
from daemon.labels.rows import RowId
from daemon.labels.store.description import Description, describe
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.since.label_totals import labels_summary
from daemon.parts import Parts
from daemon.photo import Embedding

LOOK_EVERY_S = 60.0
ASK_EVERY_S = 5.0
"""How soon a label that a command makes counts."""
WAIT_S = 0.1
STOP_S = 5.0
SHOWN = 20
"""Labels of one look that the log names."""


class LiveLooks:
    """Looks and reads words when they are due; used by one thread, which `looking` runs.

    Args:
        parts: of the daemon.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stopping, self._looked = threading.Event(), threading.Event()
        self._features = PhotoFeatures(lambda: parts.models.current, parts.guard, parts.clock)
        contents = OutputContents(
            parts.output, self._embedding_of, self._embedding_at, self._turned_at, self._stopping.is_set
        )
        self._others = partial(other_ledgers, parts.ledger.path)
        self._looker = Looker(parts.ledger.path, contents, self._others, (parts.inbox,))
        self._connection = sqlite3.connect(parts.ledger.path, isolation_level=None, check_same_thread=False)
        self._words = WordsInForce(self._connection)
        self._due_s = parts.clock.monotonic_s()
        self._told = ""

    def begin(self) -> None:
        """Let the words count that were said before; called before the first photo is filed."""
        try_again(self._connection)
        self._take_words(self._others())

    def tick(self) -> None:
        """Do what is due."""
        now_s = self._parts.clock.monotonic_s()
        others = None
        try:
            if now_s >= self._due_s:
                self._due_s = now_s + LOOK_EVERY_S
                others = self._others()
                self._say_once(self._look())
            if self._take_words(others) or others is not None:
                self._count()
        except (LookStoppedError, StoppedError):
            return
        except (OSError, sqlite3.Error, PhototriageError) as error:
            self._say_once(f"the output cannot be looked at for labels now ({printable(str(error))})")

    def _say_once(self, trouble: str) -> None:
        """Say what is wrong with the looks, until it is something else or over."""
        if trouble and trouble != self._told:
            self._parts.report.say(trouble)
        self._told = trouble

    def run(self) -> None:
        """Tick until `stop`, then keep what was seen."""
        try:
            while not self._stopping.is_set():
                self.tick()
                self._looked.set()
                self._stopping.wait(ASK_EVERY_S)
        finally:
            self._looked.set()
            self._looker.keep()
            self._connection.close()

    def wait_for_first(self, asked_to_stop: threading.Event) -> None:
        """Wait until the first look is done: what people said before a short `sort` would never be seen otherwise."""
        while not (asked_to_stop.is_set() or self._looked.wait(WAIT_S)):
            pass

    def stop(self) -> None:
        """End the thread soon; from any thread or a signal handler."""
        self._stopping.set()

    def _look(self) -> str:
        parts = self._parts
        settings, classes = parts.settings, parts.models.current.rules.labels
        rules = {"review_below": settings.review_below, "unfamiliar": settings.unfamiliar}
        describe(self._connection, Description(settings.layout, classes, rules))
        looked = self._looker.look(parts.clock.wall_s())
        if looked is not None:
            self._tell(looked)
        if self._features.id:
            of = self._features.id
            most = SOME if parts.once else 0
            make_features(self._connection, parts.output, of, self._features.of, self._stopping.is_set, most)
        return self._told if looked is None else looked.why_not or looked.unkept

    def _take_words(self, others: list[Path] | None) -> bool:
        """Let new words count; tells whether there are any."""
        words = self._words.changed(others)
        if words is None:
            return False
        if len(words) or len(self._parts.words.current):  # photos that wait are judged again by other words
            self._parts.words.current = words
        return True

    def _count(self) -> None:
        """Count the labels for the status: only when they may have changed, because that reads all of them."""
        learned = self._parts.models.current.model.contract.learned
        learnt_at_s = 0.0 if learned is None else datetime.fromisoformat(learned.at).timestamp()
        labels = labels_summary(self._connection, last_look_s(self._parts.state), learnt_at_s)
        told = self._parts.monitor.labels
        if labels.is_worse and not (told and told.is_worse):
            now, before = labels.corrections
            self._parts.report.say(
                f"people correct this model more often than the one before ({now.per_1000:.1f} of 1,000 filed photos, "
                f"{before.per_1000:.1f} before). To go back: phototriage model rollback"
            )
        self._parts.monitor.labels = labels

    def _tell(self, looked: Looked) -> None:
        report = self._parts.report
        for place, shown, said in looked.said[:SHOWN]:
            what = f"a person says {printable(said)}, not {printable(shown)}" if said else "a label is taken back"
            report.event("label", f"{printable(place)}: {what}", place=place, shown=shown, said=said)
        if (more := len(looked.said) - SHOWN) > 0:
            report.say(f"and {more:,} more labels, which `phototriage labels` shows")
        if looked.questions:
            report.say("many photos were moved at once, and only a person can say why: phototriage labels")

    def _embedding_of(self, row: RowId) -> Embedding | None:
        found = self._connection.execute("SELECT sha256 FROM photos WHERE id = ?", (row[1],)).fetchone()
        if found is None or not found[0] or row[0] != str(self._parts.ledger.path):
            return None
        return kept_embedding(self._parts.state, self._features.id, found[0])

    def _embedding_at(self, place: str) -> Embedding | None:
        found = self._features.of(self._parts.output / place)
        return None if found is None else found.embedding

    def _turned_at(self, place: str) -> list[Embedding]:
        return self._features.turned(self._parts.output / place)


@contextmanager
def looking(parts: Parts) -> Iterator[None]:
    """Look at the output during the block, in a thread of its own.

    A look at a share whose server is away may hang for ever, so the end waits for the thread only for a while.
    """
    looks = LiveLooks(parts)
    looks.begin()
    thread = threading.Thread(target=looks.run, name="look", daemon=True)
    thread.start()
    try:
        yield
        if parts.once:
            looks.wait_for_first(parts.signals.event)
    finally:
        looks.stop()
        thread.join(STOP_S)
