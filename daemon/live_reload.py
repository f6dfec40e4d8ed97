"""Lets a new model take over while photos are filed, and brings news of it to the ledger, the log and the status."""

import sqlite3
from pathlib import Path

from contract.session import read_model
from daemon.classify.classify import warm
from daemon.classify.loaded_model import LoadedModel
from daemon.models.active import rules_for
from daemon.models.fit import fit_model
from daemon.models.history import Entry, ModelEvent, note
from daemon.models.reload import Reloader
from daemon.models.trial import try_apart
from daemon.parts import Parts
from daemon.ready import of_unfamiliar

_TAKEN = (ModelEvent.USED, ModelEvent.ROLLED_BACK)


def live_reload(parts: Parts) -> Reloader:
    """Return what lets a new model take over. What `model use` chose is bound to what --model names now."""
    parts.store.pin()

    def opened(file: Path) -> LoadedModel:
        try_apart(file)
        model = fit_model(parts.settings, parts.inbox, parts.output, read_model(file))  # a refusal names the file
        warm(model)
        return LoadedModel(model, rules_for(parts.settings, model), file)

    def tell(entry: Entry) -> None:
        _tell(parts, entry)

    return Reloader(parts.models, parts.store, parts.model_file, parts.clock, opened, tell)


def note_start(parts: Parts) -> None:
    """Record the model of a `sort`, which no other model replaces: `model list` and `learn` ask which one served."""
    served = parts.models.current
    labels, over = served.model.contract.labels, parts.store.over or ""
    now_s, file = parts.clock.wall_s(), served.file
    _tell(parts, Entry(now_s, file, ModelEvent.STARTED, served.model.sha256, labels, before=file, over=over))


def _tell(parts: Parts, entry: Entry) -> None:
    try:
        note(parts.ledger.path, entry)
    except sqlite3.Error as error:
        parts.report.say(f"the ledger cannot be written, and misses this of a model: {error}")
    if entry.what is ModelEvent.STARTED:
        return  # the ready line says it
    unlike = f"; {of_unfamiliar(parts.models.current, parts.output)}" if entry.what in _TAKEN else ""
    sentence = f"model: {entry.sentence()}{unlike}"
    facts = {"what": entry.what.value, "file": str(entry.file), "sha256": entry.sha256, "labels": entry.labels}
    limit = parts.models.current.rules.familiarity_limit
    parts.report.event("model", sentence, **facts, reason=entry.reason, familiarity_limit=limit)
    if entry.what is ModelEvent.REFUSED:
        parts.monitor.trouble(sentence)
        return
    model = parts.models.current.model
    parts.monitor.serves(entry.file, model.sha256, model.contract.labels, model.provider, model.note)
