"""By what photos are judged, and what the ledger is told about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.errors import Reason
from daemon.classify.decide import Verdict, decide, decide_fault
from daemon.ledger.intent import Intent
from daemon.filing.layout import Layout
from daemon.photo import Mode, Outcome, Photo
from daemon.files.statx import times_of

CLOCKS_DIFFER_S = 86_400.0
"""How far the clock of a share's server may be from ours: a day, for some take another zone for theirs."""
STOPPED = "the daemon was stopped first"
TOP = 5
"""How many of the most probable classes the ledger keeps."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By what photos are judged and filed.

    Attributes:
        labels: the model's, in order.
        thresholds: probability per label below which a photo wants review.
        give_up_after_s: how long an unreadable photo must stay unchanged before it is failed.
        model: SHA-256 of the model file.
        provider: where it runs.
        mode: how photos are filed.
        layout: where below the output.
        set_aside: whether a photo of equal content as one that is filed goes to `_duplicates`.
    """

    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    give_up_after_s: float
    model: str
    provider: str
    mode: Mode = Mode.MOVE
    layout: Layout = field(default_factory=Layout)
    set_aside: bool = False


def judge(photo: Photo, rules: Rules) -> None:
    """Fill in what is to become of a photo: `outcome`, `folder`, `label`, `probability`, `reason`."""
    if photo.scores is not None:
        verdict = decide(photo.scores, rules.labels, rules.thresholds)
    elif photo.fault is not None:
        # By another machine's clock, only what is past doubt counts.
        unchanged_s = photo.unchanged_s - (CLOCKS_DIFFER_S if photo.on_share else 0.0)
        unchanged_s = max(unchanged_s, photo.waited_s)
        verdict = decide_fault(photo.fault, unchanged_s, rules.give_up_after_s)
        if photo.fault.reason is not Reason.UNREADABLE:  # which no time mends: its tries just get rarer
            photo.again_within_s = max(0.05, rules.give_up_after_s - unchanged_s)
    else:
        verdict = Verdict(Outcome.AGAIN, "", reason=photo.reason or STOPPED)
    photo.outcome, photo.folder, photo.reason = verdict.outcome, verdict.folder, verdict.reason
    photo.label, photo.probability = verdict.label, verdict.probability


def intent_for(photo: Photo, rules: Rules) -> Intent:
    """Return the ledger's row for a photo that is about to be filed, or for a companion, with those of its own."""
    assert photo.destination is not None
    top = {}
    if photo.scores is not None:
        best = photo.scores.argsort()[: -TOP - 1 : -1]
        probabilities = photo.scores[best].tolist()
        top = {rules.labels[index]: round(value, 6) for index, value in zip(best.tolist(), probabilities, strict=True)}
    return Intent(
        becomes=photo.outcome,
        source=photo.path,
        destination=photo.destination,
        identity=photo.identity,
        sha256=photo.sha256,
        label=photo.label,
        probability=photo.probability,
        top=top,
        threshold=rules.thresholds.get(photo.label, 0.0),
        reason=photo.reason,
        model=rules.model,
        provider=rules.provider,
        times_ms=photo.times_ms,
        mode=rules.mode,
        part_of=photo.follows_row,
        held=None if rules.mode is Mode.MOVE else photo.path,
        mount=photo.mount,
        times=None if rules.mode is Mode.MOVE else times_of(photo.path),
        companions=tuple(intent_for(part, rules) for part in photo.companions) if photo.companions else (),
    )
