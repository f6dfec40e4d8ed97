"""Learning rate and weight averaging over a stage, as functions of step and history only."""

from collections.abc import Iterable
from math import cos, inf, pi

LEAST_GAIN = 1e-4  # a smaller decrease of the loss counts as none, as in ReduceLROnPlateau of Keras


def learning_rate(step: int, steps: int, peak: float, warmup: float, cosine: bool = True) -> float:
    """Learning rate of one step: a linear rise over the `warmup` share, then a cosine to zero, or constant.

    Source of the shape: Loshchilov and Hutter, "SGDR", 2017, without restarts; Goyal et al., 2017, for the warm-up.
    """
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + cos(pi * (step - rising) / max(1, steps - rising))) if cosine else peak


def plateau_share(losses: Iterable[float], patience: int, factor: float) -> float:
    """Share of the learning rate left after plateaus: times `factor` after each `patience` epochs without a lower loss.

    Args:
        losses: the validation loss after each epoch of the stage so far. It is the only state, so that a resumed
            training continues with the same rate.
    """
    left, best, waited = 1.0, inf, 0
    for loss in losses:
        if loss < best - LEAST_GAIN:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= patience:
            left, waited = left * factor, 0
    return left


def averaging_decay(step: int, averaging: float, every: int) -> float:
    """Share of the averaged weights to keep when the average is updated every `every` steps.

    It starts low, so that the first weights do not dominate the average, and ends at `averaging` per step.
    """
    return min(averaging, (1 + step) / (10 + step)) ** every
