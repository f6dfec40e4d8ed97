"""The status of a daemon as a small table for people."""

import shlex
import time
from collections.abc import Iterator, Mapping

from common.text import printable
from contract.labels import OTHER
from daemon.ledger.since.label_totals import LabelTotals
from daemon.ledger.totals import Totals
from daemon.process.clock import local
from daemon.status.snapshot import LedgerStatus, StatusSnapshot
from daemon.status.snapshot_parts import HeldFiles, ModelStatus, StageTimes, State, WaitingCompanions
from daemon.status.status_line import lasting, waiting_words, where

_MARGIN = 12


def table(status: StatusSnapshot | LedgerStatus) -> str:
    """Return the lines about one inbox."""
    rows = _of_process(status) if isinstance(status, StatusSnapshot) else _of_ledger(status)
    lines = [f"  {name:<{_MARGIN}}{printable(value)}" for name, value in rows if value]
    return "\n".join([printable(status.inbox or "unknown inbox"), *lines])


def _of_process(status: StatusSnapshot) -> Iterator[tuple[str, str]]:
    yield "state", f"{status.state}{where(status)}{_why(status)}"
    yield "filed", _sum(status.filed, status.classes, " since the start") or "0 since the start"
    if status.in_all is not None:
        yield "in all", _in_all(status.in_all, "")
    yield "waiting", waiting_words(status.waiting).replace(" waiting", "")
    yield "held open", _held_open(status.held_open)
    yield "companions", _companions(status.companions)
    for one in status.blocked.places:
        yield "blocked", f"{one.photos:,} for {one.place}: {one.reason}"
    yield (
        "speed",
        f"{status.rates['60s']:,.1f} photos/s in the last minute, {status.rates['600s']:,.1f} in the last ten",
    )
    yield from _outcomes(status.outcomes, status.reviews, status.failures)
    yield "known", f"{status.known:,}, put where a person had put the same photo" if status.known else ""
    yield "taken back", _taken_back(status.in_all.held if status.in_all else 0)
    yield from _labels(status.labels, status.inbox)
    yield "took", _took(status.stages)
    yield from _last(status)
    yield "unfamiliar", status.unfamiliar
    yield "trouble", _trouble(status)
    for note in status.notes:
        yield "note", note
    yield "since", f"{_when(status.began_at_s)}, process {status.pid}"
    yield "uses", f"{status.memory_bytes >> 20} MiB of memory, {status.cpu_s:,.1f} s of CPU time so far"


def _of_ledger(status: LedgerStatus) -> Iterator[tuple[str, str]]:
    preposition = "" if status.state is State.ENDED else " since"
    since = f"{preposition} {_when(status.stopped_at_s)}" if status.stopped_at_s is not None else ""
    yield "state", f"{status.state}{since}{_why(status)}"
    yield "filed", _in_all(status, " in all")
    yield "in inbox", _in_inbox(status)
    yield from _outcomes(status.outcomes, status.reviews, {})
    yield "taken back", _taken_back(status.held)
    yield from _labels(status.labels, status.inbox)
    yield from _last(status)
    yield "unfamiliar", status.unfamiliar or ""


def _outcomes(
    outcomes: Mapping[str, int], reviews: Mapping[str, int], failures: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    yield "failed", _sum(outcomes.get("failed", 0), failures)
    yield "for review", _sum(outcomes.get("review", 0), reviews)
    for outcome, name in (("duplicate", "duplicates"), ("left", "left alone")):
        yield name, f"{outcomes[outcome]:,}" if outcomes.get(outcome) else ""


def _in_all(known: Totals | LedgerStatus, whence: str) -> str:
    return _sum(known.filed, known.classes, f"{whence}, {known.today:,} of them today") or f"0{whence}"


def _taken_back(held: int) -> str:
    return f"{held:,}, left alone in the inbox until they change, or until `phototriage retry --undone`" if held else ""


def _labels(labels: LabelTotals | None, inbox: str | None) -> Iterator[tuple[str, str]]:
    if labels is None:
        return
    looked = f"last look {lasting(max(0.0, time.time() - labels.last_look_at_s))} ago" if labels.last_look_at_s else ""
    classes = {"none of the classes" if name == OTHER else name: count for name, count in labels.classes.items()}
    counted = _sum(labels.labels, classes) or ("0" if looked else "")
    yield "labels", "; ".join(filter(None, (counted, looked)))
    which = f" --inbox {shlex.quote(inbox)}" if inbox else ""
    if labels.unlearnt:
        new = f"{labels.unlearnt:,} label{'s' * (labels.unlearnt != 1)}"
        yield "learn", f"{new} that this model has not learnt from: phototriage learn{which}"
    if labels.corrected or labels.corrected_before:
        yield "corrected", _corrected(labels, which)
    if labels.audited:
        yield "audited", _audited(labels)
    if labels.questions:
        count = f"{labels.questions:,} question{'s' * (labels.questions != 1)}"
        yield "asks", f"{count} about many photos that were moved at once: phototriage labels"


def _audited(labels: LabelTotals) -> str:
    return f"{labels.accuracy:.2f} of {labels.audited:,}, {labels.accuracy_low:.2f} to {labels.accuracy_high:.2f}"


def _corrected(labels: LabelTotals, which: str) -> str:
    now, before = labels.corrections
    said = f"{now.per_1000:.1f} of 1,000 photos that this model filed ({now.corrected:,} of {now.filed:,})"
    if before.filed:
        said = f"{said}; {before.per_1000:.1f} of the model before"
    return f"{said}. It got worse: phototriage model rollback{which}" if labels.is_worse else said


def _in_inbox(status: LedgerStatus) -> str:
    if status.in_inbox is None:
        return ""
    files = f"{status.in_inbox:,} file{'s' * (status.in_inbox != 1)}"
    return f"{files}, and {status.in_folders:,} in folders inside it" if status.in_folders else files


def _last(status: StatusSnapshot | LedgerStatus) -> Iterator[tuple[str, str]]:
    yield "model", _model(status.model)
    earlier_s = status.in_all.last_filed_at_s if isinstance(status, StatusSnapshot) and status.in_all else None
    yield "last filed", _when(status.last_filed_at_s or earlier_s)
    error = status.last_error
    yield "last error", f"{_when(error.at_s)}: {error.error}" if error else ""


def _why(status: StatusSnapshot | LedgerStatus) -> str:
    return f": {status.why}" if status.why else ""


def _held_open(held: HeldFiles) -> str:
    if not held.files:
        return ""
    named = ", ".join(f"{one.path} for {lasting(one.for_s)}" for one in held.longest)
    more = f" and {held.files - len(held.longest):,} more" if held.files > len(held.longest) else ""
    return f"left alone until the writing programs close them: {named}{more}"


def _companions(waiting: WaitingCompanions) -> str:
    if not waiting.files:
        return ""
    more = f" and {waiting.files - len(waiting.first):,} more" if waiting.files > len(waiting.first) else ""
    verb = "waits" if waiting.files == 1 else "wait"
    return f"{waiting.files:,} {verb} for the photo of the same name: {', '.join(waiting.first)}{more}"


def _sum(count: int, parts: Mapping[str, int], whence: str = "") -> str:
    each = ", ".join(f"{name} {number:,}" for name, number in sorted(parts.items(), key=lambda part: -part[1]))
    return f"{count:,}{whence}{': ' if each else ''}{each}" if count else ""


def _took(stages: Mapping[str, StageTimes]) -> str:
    means = {name: 1e3 * one.sum_s / one.count for name, one in stages.items() if one.count}
    return ", ".join(f"{name} {mean:.1f} ms" for name, mean in means.items()) + (" on average" if means else "")


def _model(model: ModelStatus | None) -> str:
    if not model:
        return ""
    note = f" ({model.note})" if model.note else ""
    return f"{model.file} {model.sha256[:12]}, {len(model.labels)} classes{note}"


def _trouble(status: StatusSnapshot) -> str:
    said = (
        (status.overflows, "the kernel dropped events {} times, and a scan found the rest"),
        (status.starts_anew, "restarted {} times in a row because a part hung"),
    )
    return "; ".join(words.format(count) for count, words in said if count)


def _when(at_s: float | None) -> str:
    if not at_s:
        return ""
    ago_s = time.time() - at_s
    ago = f", {lasting(ago_s)} ago" if ago_s >= 0 else ""
    return f"{local(at_s):%Y-%m-%d %H:%M:%S}{ago}"
