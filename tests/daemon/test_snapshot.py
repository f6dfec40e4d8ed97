"""The status as JSON: its keys and their order are what scripts read, and a client reads what a process wrote."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.intake.troubles import InboxTroubles
from daemon.ledger.since.label_totals import LabelTotals
from daemon.ledger.totals import Totals
from daemon.queues import Blocked, Waiting
from daemon.status.monitor import Monitor, Sources
from daemon.status.snapshot import LedgerStatus, StatusSnapshot
from daemon.status.snapshot_parts import LastError, ModelStatus, State
from tests.daemon.support import HandClock

KEYS = (
    "state", "why", "pid", "at_s", "began_at_s", "inbox", "output", "device", "provider", "model", "waiting",
    "held_open", "blocked", "companions", "filed", "classes", "outcomes", "reviews", "failures", "known", "rates",
    "stages", "last_filed_at_s", "last_error", "unfamiliar", "notes", "overflows", "fallbacks", "starts_anew",
    "supervised", "memory_bytes", "cpu_s",
)  # fmt: skip


def full() -> StatusSnapshot:
    clock = HandClock(100.0)
    monitor = Monitor(clock, inbox=Path("/in"), output=Path("/out"))  # type: ignore[arg-type]
    monitor.enter(State.READY)
    monitor.serves(Path("/m.onnx"), "ab", ("sea", "street"), "cpu", "no driver")
    monitor.sources = Sources(
        waiting=lambda: Waiting(3, more=True, since_s=90.0),
        held_open=lambda: {Path("/in/a.jpg"): 40.0},
        blocked=lambda: [Blocked("/out/sea", 2, "full")],
        troubles=lambda: InboxTroubles(notes=("no watch",)),
    )
    monitor.trouble("a.jpg: truncated")
    return monitor.snapshot()


def test_the_keys_of_the_json_and_their_order_stay() -> None:
    facts = full().to_json()
    assert tuple(facts) == KEYS
    assert json.loads(json.dumps(facts))["model"] == {
        "file": "/m.onnx", "sha256": "ab", "labels": ["sea", "street"], "note": "no driver",
    }  # fmt: skip
    assert facts["waiting"] == {"photos": 3, "more": True, "oldest_s": 10.0}
    assert json.loads(json.dumps(facts["held_open"])) == {"files": 1, "longest": [{"path": "/in/a.jpg", "for_s": 60.0}]}
    places = [{"place": "/out/sea", "photos": 2, "reason": "full"}]
    assert json.loads(json.dumps(facts["blocked"])) == {"photos": 2, "places": places}
    assert tuple(facts["stages"]["read"]) == ("count", "sum_s", "up_to_s")
    assert tuple(facts["last_error"]) == ("at_s", "error")


def test_what_nobody_knows_yet_is_left_out() -> None:
    facts = Monitor(HandClock()).snapshot().to_json()  # type: ignore[arg-type]
    assert tuple(facts) == tuple(key for key in KEYS if key not in ("inbox", "output", "device"))
    assert (facts["provider"], facts["model"], facts["last_error"]) == (None, None, None)


def test_a_client_reads_what_a_process_wrote_and_passes_over_keys_of_a_newer_one() -> None:
    totals, labels = Totals(3, 1, {"sea": 3}, {"filed": 3}, {}, 0, 5.0), LabelTotals({"sea": 2}, 1, 9.0)
    status = replace(full(), in_all=totals, labels=labels)
    written = json.loads(json.dumps(status.to_json()))
    assert StatusSnapshot.from_json(written) == status
    written["model"]["newer"] = written["newer"] = 1
    assert StatusSnapshot.from_json(written) == status


@pytest.mark.parametrize("written", [None, [], "ready", {}, {"state": "ready"}, {"state": "dancing"}])
def test_anything_else_is_no_status(written: object) -> None:
    with pytest.raises(ValueError):
        StatusSnapshot.from_json(written)


def test_the_status_of_a_ledger_has_a_last_word_or_no_keys_for_it() -> None:
    counts = {
        "filed": 1, "today": 0, "classes": {"sea": 1}, "outcomes": {"filed": 1}, "reviews": {}, "held": 0,
        "last_filed_at_s": 5.0, "in_inbox": None, "in_folders": None,
    }  # fmt: skip
    known = LedgerStatus(inbox="/in", output=None, **counts)  # type: ignore[arg-type]
    corrected = {"unlearnt": None, "filed": 0, "corrected": 0, "filed_before": 0, "corrected_before": 0}
    audited = {"audited": 0, "accuracy": 0.0, "accuracy_low": 0.0, "accuracy_high": 1.0}
    labels: dict[str, object] = {"classes": {}, "questions": 0, "last_look_at_s": None, **corrected, **audited}
    said = {"labels": labels}
    assert known.to_json() == {"state": "not running", "why": "", "inbox": "/in", "output": None} | counts | said
    model = ModelStatus("/m.onnx", "ab", ("sea",), "")
    ended = LedgerStatus(
        inbox="/in", output=None, **counts, stopped_at_s=9.0, last_error=LastError(1.0, "x"), model=model,  # type: ignore[arg-type]
    )  # fmt: skip
    assert list(ended.to_json())[-4:] == ["stopped_at_s", "last_error", "model", "unfamiliar"]
