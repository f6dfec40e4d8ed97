"""Questions to an owner who knows the classes of all photos."""

import numpy as np

from learn.fitting.gate import MOST_ASKED, Duel, duel
from learn.fitting.layer import Ints


def ask(serving: Ints, new: Ints, truth: Ints, seed: int, most: int = MOST_ASKED) -> Duel:
    """Ask a person blind for the class of at most `most` photos on which both heads differ, drawn at random.

    Args:
        serving, new: the answers of both heads to the owner's photos, [N].
        truth: what the person says, [N].
    """
    differ = np.flatnonzero(serving != new)
    drawn = np.random.default_rng(seed).permutation(differ)[:most]
    return duel(serving[drawn] == truth[drawn], new[drawn] == truth[drawn])
