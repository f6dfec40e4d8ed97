"""How the learning rate and the averaging of weights go over a stage: functions of steps and of the history alone."""

from collections.abc import Iterable
from math import cos, inf, pi

LEAST_GAIN = 1e-4  # a loss that fell by less did not fall; Keras's ReduceLROnPlateau has the same


def rate(step: int, steps: int, peak: float, warmup: float, cosine: bool = True) -> float:
    """Learning rate of one step: up in a line over the first `warmup` share, then down a cosine to zero, or level.

    Source of the shape: Loshchilov and Hutter, "SGDR", 2017, without restarts; Goyal et al., 2017, for the warm-up.
    """
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + cos(pi * (step - rising) / max(1, steps - rising))) if cosine else peak


def lowered(losses: Iterable[float], patience: int, factor: float) -> float:
    """What is left of the rate on plateaus: `factor` for each `patience` epochs on end without a lower loss.

    Args:
        losses: the validation loss after each epoch of the stage so far. Nothing else is remembered, so that a training
            that goes on after a kill stands where it stood.
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


def decay(step: int, averaging: float, every: int) -> float:
    """Share of the averaged weights to keep when the average is updated every `every` steps.

    It begins low, so that the average is not held back by the first weights, and ends at `averaging` a step.
    """
    return min(averaging, (1 + step) / (10 + step)) ** every
