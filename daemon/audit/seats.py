"""Which photos make up a random sample of what was filed: each class gets some, and large classes get more.

Within a class the photos with the smallest tokens are taken, so that the sample is random, stays random while more is
filed, and holds what was answered before. The seats go to the classes one after the other: one to each, then by
Webster's method, which keeps them close to the sizes of the classes and takes no seat away when there are more.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from heapq import heapify, heappop, heappush, merge
from typing import NamedTuple

from daemon.audit.population import Candidate, Stratum

WHOLE = ""
"""Name of the stratum that holds all classes, where there are more classes than seats."""


class Seat(NamedTuple):
    """A photo of the sample, and the stratum that it stands for."""

    stratum: str
    candidate: Candidate


def strata_of(classes: Mapping[str, Stratum], seats: int) -> dict[str, Stratum]:
    """Return the strata of a sample: the classes, or all of them as one if not each can get a seat."""
    if len(classes) <= seats:
        return dict(classes)
    whole = Stratum()
    whole.photos = sum(one.photos for one in classes.values())
    whole.probability = sum(one.probability for one in classes.values())
    whole.first = list(merge(*(one.first for one in classes.values())))
    return {WHOLE: whole}


def seats_of(
    strata: Mapping[str, Stratum], asked: Collection[str], photos: int, is_at_hand: Callable[[Candidate], bool]
) -> Iterator[Seat]:
    """Yield the photos of a sample.

    Args:
        strata: what was filed.
        asked: tokens of photos that somebody was asked about before; their seats cost nothing.
        photos: how many others are to be asked about.
        is_at_hand: tells whether a photo can be shown; asked only about other photos, and those without are passed by.
    """
    queue = [(float("-inf"), -one.photos, name, 0) for name, one in strata.items()]
    heapify(queue)
    left = {name: iter(one.first) for name, one in strata.items()}
    while queue:
        _, _, name, count = heappop(queue)
        for candidate in left[name]:
            if candidate.token not in asked:
                if not photos:
                    return
                if not is_at_hand(candidate):
                    continue
                photos -= 1
            yield Seat(name, candidate)
            heappush(queue, (-strata[name].photos / (2 * count + 3), 0, name, count + 1))
            break
