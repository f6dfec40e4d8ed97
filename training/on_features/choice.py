"""Choose between the head on broad features and the fine-tuned network: the simpler one, unless the other is better."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measure.calibrate import find_temperature
from training.measure.metrics import softmax
from training.on_features.candidate import Candidate
from training.on_features.sides import Sides

LEVEL = 0.05
HEAD, TUNED = "head", "fine-tuned"


@dataclass(frozen=True)
class Choice:
    """Which candidate is kept, and why.

    Attributes:
        kept: `head` or `fine-tuned`.
        why: one sentence.
    """

    kept: str
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def choose(head: Candidate, tuned: Candidate, sides: Sides) -> Choice:
    """Keep the fine-tuned network only if it is better beyond chance, by right answers or by their probabilities.

    Right answers: the exact test of Q. McNemar, Psychometrika 12, 1947. Probabilities: a paired t-test of the log loss
    of each photo, which notices on a few hundred photos what right answers show on thousands; then it must not answer
    fewer photos rightly. Both are two-sided.
    """
    from scipy.stats import binomtest, ttest_rel

    before, after = head.right(sides), tuned.right(sides)
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    answers = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    losses = [_losses(candidate, sides) for candidate in (head, tuned)]
    means = [float(each.mean()) for each in losses]
    probabilities = float(ttest_rel(*losses).pvalue) if means[0] != means[1] else 1.0
    figures = (
        f"of {len(before)} photos that it had not learnt from it mended {won} answers and spoilt {lost} (p = "
        f"{answers:.2g}), and their log loss went from {means[0]:.3f} to {means[1]:.3f} (p = {probabilities:.2g})"
    )
    if (won > lost and answers < LEVEL) or (won >= lost and means[1] < means[0] and probabilities < LEVEL):
        return Choice(TUNED, f"Fine-tuning is kept: {figures}.")
    return Choice(
        HEAD,
        f"Fine-tuning brought nothing here: {figures}. The head on the broad network's features is kept. With more"
        " photos, fine-tuning may help.",
    )


def _losses(candidate: Candidate, sides: Sides) -> NDArray[np.float64]:
    """Log loss of each judging photo, at the temperature that suits the candidate best."""
    labels = sides.labels[sides.judges]
    given = softmax(candidate.honest, find_temperature(candidate.honest, labels))
    return -np.log(np.clip(given[np.arange(len(labels)), labels], 1e-15, 1.0))
