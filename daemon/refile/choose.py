"""Choose whether a filed photo belongs to another class now; a pure function of what is known about it."""

from collections.abc import Mapping
from dataclasses import replace

from daemon.photo import REVIEW_FOLDER, Judgement, Outcome

MARGIN = 0.2
"""How much more probable the new class must be than the one under which a photo lies."""
NO_NAMES: Mapping[str, str] = {}


def choose(judgement: Judgement, lies_in: str, classes: int, names: Mapping[str, str] = NO_NAMES) -> Judgement | None:
    """Return how a photo is to be filed now, or None if it stays.

    What people said wins. Otherwise the model must file it, under a class that is above its threshold and clearly more
    probable than the present one. A photo in review has no class yet, so only the threshold counts there. A class that
    was renamed takes its photos along.

    Args:
        judgement: of the model in use and of people.
        lies_in: the class whose folder the photo lies in, or `_review`.
        classes: how many the model has.
        names: new names of classes that were renamed or merged; empty for a retired one.
    """
    if judgement.outcome is not Outcome.FILED:
        return _along(judgement, lies_in, names)
    if judgement.said or lies_in == REVIEW_FOLDER:
        return judgement if judgement.folder != lies_in else None
    own = names.get(lies_in, lies_in)
    if judgement.folder != own and judgement.probability - _most(judgement, own, classes) >= MARGIN:
        return judgement if judgement.folder != lies_in else None
    return _along(judgement, lies_in, names)


def _along(judgement: Judgement, lies_in: str, names: Mapping[str, str]) -> Judgement | None:
    """Return the judgement for a photo that goes along with its renamed class; None if it was not renamed."""
    name = names.get(lies_in, "")
    if not name or name == lies_in:
        return None
    return replace(
        judgement, outcome=Outcome.FILED, folder=name, label=name, probability=judgement.top.get(name, 0.0),
        review_reason=None, reason=f"the class {lies_in} is called {name} now", said="",
    )  # fmt: skip


def _most(judgement: Judgement, name: str, classes: int) -> float:
    """Return the probability of a class; of one that is not among the most probable, the most that it may have."""
    if name in judgement.top or not name or len(judgement.top) >= classes:
        return judgement.top.get(name, 0.0)
    return min(judgement.top.values(), default=0.0)
