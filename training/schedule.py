"""How the learning rate and the averaging of weights go over a training, as plain functions of the step."""

from math import cos, pi


def rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Learning rate of one step: up in a line over the first `warmup` share, then down a cosine to zero.

    Source of the shape: Loshchilov and Hutter, "SGDR", 2017, without restarts; Goyal et al., 2017, for the warm-up.
    """
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + cos(pi * (step - rising) / max(1, steps - rising)))


def decay(step: int, averaging: float, every: int) -> float:
    """Share of the averaged weights to keep when the average is updated every `every` steps.

    It begins low, so that the average is not held back by the first weights, and ends at `averaging` a step.
    """
    return min(averaging, (1 + step) / (10 + step)) ** every
