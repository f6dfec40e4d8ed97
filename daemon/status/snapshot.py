"""How a daemon is at one moment, as one value: from the running process, or from its ledger when no process runs.

The fields are the keys of the JSON that `/status`, `phototriage status --json` and `stopped.json` carry, in this order.
So a key stands once, and each reader of a status reads a typed field. Times in `at_s` are seconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, TypeVar

from daemon.ledger.since.label_totals import LabelTotals
from daemon.ledger.totals import Totals
from daemon.status.snapshot_parts import (
    BlockedPhotos,
    BlockedPlace,
    HeldFile,
    HeldFiles,
    LastError,
    ModelStatus,
    StageTimes,
    State,
    WaitingCompanions,
    WaitingPhotos,
)

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSnapshot:
    """What a running process says of itself.

    Fields with a default may be missing in what an older process says.

    Attributes:
        state: what the process does.
        why: why the state is no better; empty if it is the best.
        pid: of the process.
        at_s: when this was asked.
        began_at_s: when the process began.
        inbox: its path; None where nobody said it.
        output: its path; None where nobody said it.
        device: that was asked for: auto, cpu or cuda; None before the model is loaded.
        provider: that runs the model: cpu or cuda; None before one is loaded.
        model: that classifies; None before one is loaded.
        waiting: photos that are not filed yet.
        held_open: files that programs hold open for writing.
        blocked: photos that wait for a place.
        companions: sidecars, films and raw files that wait for their photo.
        filed: photos filed under a class since the process began.
        classes, outcomes, reviews, failures, known, rates, stages, last_filed_at_s, last_error: as in `Counts`.
        unfamiliar: what is to be done where many photos are unfamiliar; empty elsewhere.
        notes: other troubles with the inbox, a sentence each.
        overflows: how often the kernel dropped events.
        fallbacks: 0, because a process keeps its provider; scripts and dashboards may read the key.
        starts_anew: restarts in a row after a part hung.
        supervised: whether systemd or its like started the process.
        memory_bytes: resident memory.
        cpu_s: processor time.
        in_all: what the ledger counts over all runs; None in the process's own answer, or without a readable ledger.
        labels: what people said of filed photos; None before the first look.
    """

    state: State
    why: str
    pid: int
    at_s: float
    began_at_s: float
    inbox: str | None = None
    output: str | None = None
    device: str | None = None
    provider: str | None
    model: ModelStatus | None
    waiting: WaitingPhotos
    held_open: HeldFiles = field(default_factory=HeldFiles)
    blocked: BlockedPhotos = field(default_factory=BlockedPhotos)
    companions: WaitingCompanions = field(default_factory=WaitingCompanions)
    filed: int
    classes: dict[str, int]
    outcomes: dict[str, int]
    reviews: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    known: int = 0
    rates: dict[str, float]
    stages: dict[str, StageTimes]
    last_filed_at_s: float | None
    last_error: LastError | None
    unfamiliar: str = ""
    notes: tuple[str, ...] = ()
    overflows: int = 0
    fallbacks: int = 0
    starts_anew: int = 0
    supervised: bool = True
    memory_bytes: int
    cpu_s: float
    in_all: Totals | None = None
    labels: LabelTotals | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that JSON carries; roots, device and totals are left out while they are unknown."""
        return _without_none(self, ("inbox", "output", "device", "in_all", "labels"))

    @classmethod
    def from_json(cls, facts: object) -> Self:
        """Return the status that a process wrote; unknown keys are ignored.

        Raises:
            ValueError: it is no status.
        """
        try:
            return cls(**_typed(facts))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the answer is no status: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """What is known of a daemon that no process answers for: its ledger, and its last status if it wrote one.

    Attributes:
        state: `not running`, `ended` or `does not answer`.
        why: how that is known; empty if there is no more to say.
        inbox: as the ledger remembers it.
        output: as the ledger remembers it.
        filed, today, classes, outcomes, reviews, held, last_filed_at_s: as in `Totals`.
        labels: what people said of filed photos.
        in_inbox: files in the inbox itself now; None if it cannot be listed.
        in_folders: files in folders inside the inbox, which only a daemon with `--recursive` takes; None likewise.
        stopped_at_s: when the daemon ended; None without a last status; then the next three are None as well.
        last_error: of the last status.
        model: of the last status.
        unfamiliar: of the last status.
    """

    state: State = State.DOWN
    why: str = ""
    inbox: str | None
    output: str | None
    filed: int
    today: int
    classes: dict[str, int]
    outcomes: dict[str, int]
    reviews: dict[str, int] = field(default_factory=dict)
    held: int
    last_filed_at_s: float | None
    labels: LabelTotals = field(default_factory=LabelTotals)
    in_inbox: int | None
    in_folders: int | None
    stopped_at_s: float | None = None
    last_error: LastError | None = None
    model: ModelStatus | None = None
    unfamiliar: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the object that JSON carries; without a last status its keys are left out."""
        absent = ("stopped_at_s", "last_error", "model", "unfamiliar") if self.stopped_at_s is None else ()
        return _without_none(self, absent)


def _without_none(status: StatusSnapshot | LedgerStatus, absent: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in asdict(status).items() if value is not None or name not in absent}


def _typed(facts: Any) -> dict[str, Any]:
    """Return the values of the fields of a status, each in its type."""
    known = _known(StatusSnapshot, facts)
    known["state"] = State(known["state"])
    for name, kind in (("waiting", WaitingPhotos), ("model", ModelStatus), ("last_error", LastError)):
        known[name] = _filled(kind, known[name]) if known[name] else None
    if known["model"]:
        known["model"] = _filled(ModelStatus, facts["model"] | {"labels": tuple(facts["model"]["labels"])})
    known["stages"] = {name: _filled(StageTimes, times) for name, times in known["stages"].items()}
    if known.get("in_all"):
        known["in_all"] = _filled(Totals, known["in_all"])
    if known.get("labels"):
        known["labels"] = _filled(LabelTotals, known["labels"])
    known["notes"] = tuple(known.get("notes", ()))
    if held := known.get("held_open"):
        known["held_open"] = HeldFiles(held["files"], tuple(_filled(HeldFile, one) for one in held["longest"]))
    if blocked := known.get("blocked"):
        places = tuple(_filled(BlockedPlace, one) for one in blocked["places"])
        known["blocked"] = BlockedPhotos(blocked["photos"], places)
    if companions := known.get("companions"):
        known["companions"] = WaitingCompanions(companions["files"], tuple(companions["first"]))
    return known


def _filled(kind: type[Part], facts: Mapping[str, Any]) -> Part:
    return kind(**_known(kind, facts))


def _known(kind: type[Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: facts[one.name] for one in fields(kind) if one.name in facts}
