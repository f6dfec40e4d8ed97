"""Findings about classes that are too small, by themselves or beside the largest one."""

from collections import Counter
from collections.abc import Iterator, Sequence

from training.check.kinds import Finding, Kind
from training.dataset.layout import Photo

LEAST = 5
"""Photos below which neither learning nor judging can be trusted: cross-validation holds one of five out each time."""
UNEVEN, VERY_UNEVEN = 5.0, 10.0  # ratios of the largest class to a small one


def balance(readable: Sequence[Photo], labels: Sequence[str]) -> Iterator[Finding]:
    """Classes with few photos or far fewer than the largest, the smallest first; of readable training photos."""
    counts = Counter(photo.label for photo in readable if photo.split in ("", "train"))
    largest = max(counts.values(), default=0)
    for count, label in sorted((counts[index], label) for index, label in enumerate(labels)):
        advice = _advice(count, largest)
        if advice:
            words = f"{label}: {count} readable photos to train on, the largest class has {largest}; {advice}"
            yield Finding(Kind.BALANCE, (), words, {"label": label, "photos": count, "largest": largest})


def _advice(count: int, largest: int) -> str:
    """What to do about a class of `count` photos; empty if nothing is wrong with it."""
    if count < LEAST:
        return f"add at least {LEAST - count}, because fewer than {LEAST} teach little and judge nothing"
    if count * UNEVEN > largest:
        return ""
    how = "very uneven" if count * VERY_UNEVEN <= largest else "uneven"
    return f"{how}: add {int(largest / UNEVEN) + 1 - count} or more, or judge it by its recall and not by the accuracy"
