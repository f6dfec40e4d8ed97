"""The metrics in sentences: the answers to the first questions of a colleague."""

from collections.abc import Iterator

import numpy as np

from training.report.charts import at_thresholds
from training.report.content import ReportInput, SplitPart, count, percent
from training.report.scores import calibration_noise, review_curve

_CALIBRATED = 0.03  # a smaller calibration error is not worth a warning
_MIXED = 3  # fewer photos are no pattern


def headline(part: SplitPart) -> str:
    """The number of correct photos in one sentence."""
    metrics = part.scores.metrics
    wrong = metrics.photos - metrics.correct
    if not wrong:
        return f"All {metrics.photos:,} {part.words} were put into the right class."
    return (
        f"Of {metrics.photos:,} {part.words}, {metrics.correct:,} were put into the right class and {wrong:,} were not."
    )


def at_a_glance(given: ReportInput) -> Iterator[str]:
    """The most telling facts about the first part."""
    part = given.parts[0]
    metrics = part.scores.metrics
    low, high = metrics.interval
    yield (
        f"The model is right on {percent(low)} to {percent(high)} of photos like these (95 % interval, from"
        f" {count(metrics.photos, 'photo')}). Smaller differences between models may be chance."
    )
    if part.split == "val" and given.history:
        yield "These photos also selected epoch and temperature, so the accuracy is slightly too high. Use test photos."
    if metrics.correct < metrics.photos:
        yield from _mixed_up(part, given)
        yield _weakest(part)
    yield _sureness(part)
    yield _review(part)


def _mixed_up(part: SplitPart, given: ReportInput) -> Iterator[str]:
    metrics = part.scores.metrics
    confusion = np.array(metrics.confusion)
    both = confusion + confusion.T
    np.fill_diagonal(both, 0)
    if both.max() < _MIXED:
        return
    one, other = divmod(int(both.argmax()), len(both))
    share = int(both[one, other]) / (metrics.photos - metrics.correct)
    one_way, other_way = int(confusion[one, other]), int(confusion[other, one])
    names = given.labels[one], given.labels[other]
    yield (
        f"Most confused are {names[0]} and {names[1]}: {one_way} {names[0]} predicted as {names[1]}, {other_way} the"
        f" other way, together {percent(share, 0)} of all mistakes."
    )


def _weakest(part: SplitPart) -> str:
    weakest = min((item for item in part.scores.metrics.classes if item.photos), key=lambda item: item.f1)
    return (
        f"The weakest class is {weakest.label}: {percent(weakest.recall, 0)} of its {count(weakest.photos, 'photo')}"
        f" are found, and {percent(weakest.precision, 0)} of the photos predicted as it are right."
    )


def _sureness(part: SplitPart) -> str:
    error, chance = part.scores.calibration_error, calibration_noise(part.scores.bins)
    sure, right = float(part.top.mean()), part.scores.metrics.accuracy
    if error <= _CALIBRATED:
        return f"Its probabilities can be taken at their word: the calibration error is {error:.3f}."
    if error <= 2 * chance:
        return (
            f"{count(len(part.true), 'photo')} are too few to tell whether its probabilities can be taken at their"
            f" word: the calibration error is {error:.3f}, and chance alone makes {chance:.3f}."
        )
    told = f"{percent(sure)} sure on average, and {percent(right)} right (calibration error {error:.3f})."
    if abs(sure - right) < error / 2:
        return f"Its single probabilities cannot be taken at their word: {told}"
    return f"It is {'overconfident' if sure > right else 'underconfident'}: {told}"


def _review(part: SplitPart) -> str:
    if part.sent is not None and part.sent.any() and not part.sent.all():
        share, right = at_thresholds(part)
        return f"Its own thresholds send {percent(share)} to review, and {percent(right)} of the others are right."
    curve = review_curve(part.true, part.probabilities)
    tenth = int(np.abs(curve.share - 0.1).argmin())
    return (
        f"If the least certain {percent(float(curve.share[tenth]))} go to review,"
        f" {percent(float(curve.precision[tenth]))} of the others are right."
    )
