"""Corrections per thousand filed photos: of the model in use, and of the one before."""

from contextlib import closing
from pathlib import Path

from daemon.ledger.labels.events import Event, How, record
from daemon.ledger.since.corrections import Corrections, corrections, is_worse
from daemon.ledger.since.label_totals import LabelTotals, labels_summary
from daemon.models.history import Entry, ModelEvent, note
from daemon.status.monitor import Monitor
from daemon.status.table import table
from tests.daemon.filed_output import FiledOutput
from tests.daemon.support import HandClock


def _serve(filed: FiledOutput, model: str) -> None:
    note(filed.ledger.path, Entry(filed.now_s, Path("m.onnx"), ModelEvent.USED, model, ("sea", "street")))


def test_corrections_are_counted_by_the_model_that_filed_the_photo(filed: FiledOutput) -> None:
    _serve(filed, "old")
    _serve(filed, "m" * 64)
    rows = [filed.file(f"sea/{number}.jpg") for number in range(4)]
    with closing(filed.connection()) as connection:
        for row, said in zip(rows, ("street", "sea", "", "street"), strict=True):
            record(connection, 5.0, Event(How.ADD, row, f"{row:064}", "sea/x.jpg", "sea", 0.9, "m" * 64, said))
        record(connection, 6.0, Event(How.ADD, rows[0], f"{rows[0]:064}", "sea/x.jpg", "sea", 0.9, "m" * 64, "street"))
        now, before = corrections(connection)
        assert now == Corrections("m" * 64, 4, 2)
        assert before == Corrections("old", 0, 0)
        assert now.per_1000 == 500.0
        labels = labels_summary(connection, None, 5.5)
    assert (labels.unlearnt, labels.filed, labels.corrected) == (1, 4, 2)


def test_the_status_names_the_commands_for_this_inbox() -> None:
    monitor = Monitor(HandClock(), inbox=Path("/srv/my photos"))  # type: ignore[arg-type]
    monitor.labels = LabelTotals({"sea": 1}, 0, 1.0, 1, 100, 9, 1000, 1)
    said = table(monitor.snapshot())
    assert "1 label that this model has not learnt from: phototriage learn --inbox '/srv/my photos'" in said
    assert "It got worse: phototriage model rollback --inbox '/srv/my photos'" in said


def test_a_model_is_worse_only_if_chance_does_not_explain_it() -> None:
    before = Corrections("b", 1000, 10)
    assert not is_worse(Corrections("n", 100, 3), before)
    assert is_worse(Corrections("n", 100, 6), before)
    assert not is_worse(Corrections("n", 1000, 9), before)
    assert not is_worse(Corrections("n", 10, 1), Corrections())
