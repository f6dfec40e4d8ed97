"""Says once if many of the first photos are unfamiliar: then the model has learnt from another kind of photos."""

from contract.labels import OTHER
from daemon.photo import Outcome, Photo
from daemon.process.log_level import Say
from daemon.review import ReviewReason

FIRST = 200
"""After so many photos of a model it is decided whether something is said."""
FEWEST = 20
"""Of fewer photos, as in a small inbox, nothing is said."""
MANY = 0.2
"""Share of unfamiliar photos beyond which something is said; of the photos of its classes a model sends 2 % there."""


class Strangers:
    """Counts the first photos that a model judged; used by one thread.

    Args:
        say: takes the sentence.

    Attributes:
        note: what was said of the model in use; empty if nothing was.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._model = ""
        self._judged = self._unfamiliar = 0
        self.note = ""

    def add(self, photos: list[Photo]) -> None:
        """Count finished photos; a new model begins at zero."""
        for photo in photos:
            judgement = photo.judgement
            if photo.filing.outcome not in (Outcome.FILED, Outcome.REVIEW):
                continue
            if judgement.model != self._model:
                self._model, self._judged, self._unfamiliar, self.note = judgement.model, 0, 0, ""
            if judgement.likeness is None:  # of a model that does not tell
                continue
            self._judged += 1
            # Of the class `_other` there may be many: the model has learnt those, or a person said it.
            told = OTHER in (judgement.label, judgement.said)
            self._unfamiliar += judgement.review_reason is ReviewReason.UNFAMILIAR and not told
            if self._judged == FIRST:
                self._decide()

    def end(self) -> None:
        """Decide for an inbox that holds fewer photos, because no more come."""
        if FEWEST <= self._judged < FIRST:
            self._decide()

    def _decide(self) -> None:
        if self._unfamiliar <= MANY * self._judged:
            return
        self.note = (
            f"{self._unfamiliar} of the first {self._judged} photos are unlike those that the model has learnt from, "
            "and go to _review. Most likely it has learnt from another kind of photos. Use a model of this kind, train "
            "one on your own photos (`phototriage train`), or file them all the same with `--unfamiliar file`"
        )
        self._say(self.note)
