"""The ready lines: the classes of the model, what happens to photos unlike these, the processor, and the folders."""

import shlex
import time
from contextlib import suppress
from pathlib import Path

from common.text import printable
from contract.labels import OTHER
from daemon.classify.decide import FOLDERS
from daemon.classify.loaded_model import LoadedModel
from daemon.files.confined import is_folder
from daemon.files.identity import sha256_of
from daemon.parts import Parts
from daemon.photo import REVIEW_FOLDER
from daemon.process.sd_notify import notify
from daemon.status.snapshot_parts import State
from daemon.status.status_line import status_line


def say_ready(parts: Parts) -> None:
    """Tell user, supervisor and monitor that photos are filed from now on, and which class folders are unusable."""
    report, monitor, inbox, output = parts.report, parts.monitor, parts.inbox, parts.output
    serving = parts.models.current
    model = serving.model
    for name in (*model.contract.labels, *FOLDERS):
        try:
            is_folder(output / name, output)
        except OSError as error:
            report.say(f"{printable(output / name)} cannot be used ({error.strerror}), so its photos stay in the inbox")
    monitor.serves(serving.file, model.sha256, model.contract.labels, model.provider, model.note)
    monitor.enter(State.READY)
    monitor.stage("start").end()
    file, labels = printable(serving.file.name), ", ".join(label for label in model.contract.labels if label != OTHER)
    why = f" ({model.note})" if model.note else ""
    report.event(
        "ready",
        f"ready: {file}{parts.store.remark()} knows {labels}; {of_unfamiliar(serving, output)}.\n"
        f"ready: runs on the {model.provider.upper()}{why}; {printable(inbox)} -> {printable(output)}",
        model=str(serving.file),
        sha256=model.sha256,
        labels=model.contract.labels,
        provider=model.provider,
        note=model.note,
        familiarity_limit=serving.rules.familiarity_limit,
        inbox=str(inbox),
        output=str(output),
        process_s=round(time.process_time(), 3),
    )
    if hidden := hidden_root(parts):
        report.say(hidden)
    notify(f"READY=1\nSTATUS={status_line(monitor.snapshot())}")


def hidden_root(parts: Parts) -> str:
    """Return a sentence if a learned model serves in place of a newer one that --model names; else an empty text."""
    serving, named = parts.models.current, parts.settings.model
    learned = serving.model.contract.learned
    if learned is None:
        return ""
    with suppress(OSError):
        if sha256_of(named) not in (learned.root, serving.model.sha256):
            return (
                f"{printable(named)} is another model than the one that the model in use was learnt from. To learn "
                f"again from it: phototriage model use {shlex.quote(printable(named))}, then phototriage learn"
            )
    return ""


def of_unfamiliar(loaded: LoadedModel, output: Path) -> str:
    """Return what happens to photos unlike those that a model has learnt from, as the end of a sentence."""
    if loaded.rules.familiarity_limit is not None or OTHER in loaded.rules.labels:
        return f"photos unlike these go to {printable(output.name)}/{REVIEW_FOLDER}"
    alike = "photos unlike these are filed like all others"
    known = loaded.model.contract.familiarity is not None
    return alike if known else f"{alike}, because this model cannot tell which those are"
