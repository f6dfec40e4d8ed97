"""Findings about classes that are too small."""

from collections import Counter
from collections.abc import Iterator, Sequence

from training.check.kinds import Finding, Kind
from training.dataset.layout import Photo

IMBALANCE = 10.0  # ratio of the largest class to a small one


def balance(readable: Sequence[Photo], labels: Sequence[str]) -> Iterator[Finding]:
    """Classes that are empty or far smaller than the largest, counted over readable training photos."""
    counts = Counter(photo.label for photo in readable if photo.split in ("", "train"))
    largest = max(counts.values(), default=0)
    for count, label in sorted((counts[index], label) for index, label in enumerate(labels)):
        if count * IMBALANCE < largest or count < 2:
            words = f"{label}: {count} readable photos to train on, the largest class has {largest}"
            yield Finding(Kind.BALANCE, (), words, {"label": label, "photos": count, "largest": largest})
