"""Models and the rest of the daemon: which one a start opens, what it must be fit for, and where news of it go."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from contract.session import Model, open_model, read_model
from daemon.classify.classify import warm
from daemon.filing.layout import Layout, check_layout
from daemon.models.active import ActiveModel, LoadedModel, rules_for
from daemon.models.history import Entry, ModelEvent, note
from daemon.models.reload import Reloader
from daemon.models.store import FileState, ModelStore
from daemon.models.trial import try_apart
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER
from daemon.process.clock import Clock
from daemon.roots import check_folders
from daemon.settings import Settings
from daemon.status.monitor import Monitor
from daemon.status.report import Report


def fit_model(settings: Settings, inbox: Path, output: Path, source: Path | bytes) -> Model:
    """Open a model that may file from this inbox into this output.

    Raises:
        PhototriageError: it may not, and why.
    """
    model = open_model(source, settings.device, gpu_memory_mb=settings.gpu_memory)
    check_folders(inbox, output, (*model.contract.labels, FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER))
    check_layout(Layout(settings.layout), inbox, output)
    return model


def reloader(
    settings: Settings,
    inbox: Path,
    output: Path,
    holder: ActiveModel,
    store: ModelStore,
    seen: FileState,
    clock: Clock,
    tell: Callable[[Entry], None],
) -> Reloader:
    """Return what lets a new model take over, with what was chosen bound to what --model names now."""
    store.pin()

    def opened(file: Path) -> LoadedModel:
        try_apart(file)
        model = fit_model(settings, inbox, output, read_model(file))  # its refusal names the file already
        warm(model)
        return LoadedModel(model, rules_for(settings, model), file)

    return Reloader(holder, store, seen, clock, opened, tell)


def teller(ledger: Path, report: Report, monitor: Monitor, holder: ActiveModel) -> Callable[[Entry], None]:
    """Return what brings news of a model to the ledger, to the log and to the status."""

    def _tell(entry: Entry) -> None:
        try:
            note(ledger, entry)
        except sqlite3.Error as error:
            report.say(f"the ledger cannot be written, and misses this of a model: {error}")
        if entry.what is ModelEvent.STARTED:
            return  # the ready line says it
        sentence = f"model: {entry.sentence()}"
        facts = {"what": entry.what.value, "file": str(entry.file), "sha256": entry.sha256, "labels": entry.labels}
        report.event("model", sentence, **facts, reason=entry.reason)
        if entry.what is ModelEvent.REFUSED:
            monitor.trouble(sentence)
            return
        model = holder.current.model
        monitor.serves(entry.file, model.sha256, model.contract.labels, model.provider, model.note)

    return _tell
