"""The gate: does a new head harm, is it shown to help, or is that open? Pure functions of what was right.

Four kinds of evidence, kept apart. *Validation*: photos with known classes that no head was ever fitted on. *Asked*:
of the owner's filed photos on which both heads differ, some drawn at random, whose class a person says without seeing
either answer. *By class*: the validation photos of each class that has enough of them. *Labels*: whether they fit their
photos at all (`at_random`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contract.learned import Verdict as Kind
from learn.fitting.layer import Ints, Marks

REFUSED: Kind = "refused"
HELPS: Kind = "shown to help"
OPEN: Kind = "open"
LEVEL = 0.05
MOST_LOST = 0.02
"""Share of the validation photos that may be lost if the owner's own photos show help; and of a class, in any case."""
JUDGED = 100
"""Validation photos from which on a class is judged alone."""
MOST_ASKED = 20
CHANGED_VALIDATION, CHANGED_FILED = 0.02, 0.05
"""Shares of the answers that may change while it is open whether a head helps."""


@dataclass(frozen=True)
class Duel:
    """What two heads answer to the same photos.

    Attributes:
        won: photos that only the new head answers rightly.
        lost: photos that only the serving head answers rightly.
        photos: all that were looked at.
        unanswered: photos that a person could not tell: they may speak against the new head, so they count as losses
            where help is to be shown.
    """

    won: int
    lost: int
    photos: int
    unanswered: int = 0

    @property
    def harm(self) -> float:
        """Chance of as many losses if the new head were as good: the one-sided exact test on the disagreements."""
        return _tail(self.lost, self.won + self.lost)

    @property
    def help(self) -> float:
        """Chance of as many wins if the new head were no better."""
        return _tail(self.won, self.won + self.lost + self.unanswered)

    @property
    def leans(self) -> bool:
        """Whether the new head was right more often than the serving one. No proof, but advice where help is open."""
        return self.won > self.lost

    @property
    def lost_share(self) -> float:
        """Share of the photos that is lost on balance."""
        return (self.lost - self.won) / self.photos if self.photos else 0.0


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Attributes:
        kind: `refused`, `shown to help` or `open`.
        why: which evidence decided.
    """

    kind: Kind
    why: str


def duel(before: Marks, after: Marks) -> Duel:
    """Compare which photos each head answers rightly, [N]."""
    return Duel(int((after & ~before).sum()), int((before & ~after).sum()), len(before))


def judge(validation: Duel, by_class: Sequence[Duel], asked: Duel, *, at_random: bool = False) -> Verdict:
    """Judge a new head.

    Args:
        validation: all validation photos.
        by_class: the validation photos of each class.
        asked: what a person said, blind, about photos on which both heads differ.
        at_random: whether the labels look dealt at random. Labels that are shown to help are not.
    """
    helps = asked.help < LEVEL
    if asked.harm < LEVEL:
        return Verdict(REFUSED, "asked")
    if at_random and not helps:
        return Verdict(REFUSED, "labels")
    if validation.harm < LEVEL and not (helps and validation.lost_share <= MOST_LOST):
        return Verdict(REFUSED, "validation")
    judged = [each for each in by_class if each.photos >= JUDGED]
    # Among several classes one falls by chance more easily than one alone, so each gets its share of the level.
    if any(each.lost_share > MOST_LOST and each.harm < LEVEL / (2 * len(judged)) for each in judged):
        return Verdict(REFUSED, "a class")
    return Verdict(HELPS, "asked") if helps else Verdict(OPEN, "")


def of_each_class(before: Marks, after: Marks, classes: Ints, count: int) -> list[Duel]:
    """The duel within each class."""
    return [duel(before[classes == each], after[classes == each]) for each in range(count)]


def changes_little(validation: Marks, filed: Marks) -> bool:
    """Whether few enough answers change for a head whose help is open.

    Args:
        validation, filed: whether the answer to each photo changes, [N].
    """
    return bool(validation.sum() <= CHANGED_VALIDATION * len(validation) and filed.sum() <= CHANGED_FILED * len(filed))


def _tail(count: int, total: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(count, total, 0.5, "greater").pvalue) if total else 1.0
