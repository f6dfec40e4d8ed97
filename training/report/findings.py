"""What a report says of the data: what training found on its way, and where to look for the rest."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from contract.text import printable
from training.check.held_out import doubtful, in_words
from training.check.kinds import WORDS, Kind
from training.check.known import KINDS, SHOWN, DataFindings, Seen
from training.errors import RunError
from training.measure.predictions import Predictions
from training.report.content import Finding, Step, count
from training.run import MANIFEST, Run

_REST = "Files of a wrong type, tiny pictures and odd sizes were not looked for here: phototriage check-data does."
_ABSENT = {Kind.BALANCE: "classes that are too small", Kind.CONFLICT: "photos under two labels",
           Kind.LEAK: "photos in two splits"}  # fmt: skip
_ALL_KINDS = (*KINDS, Kind.SUSPECT)


def findings_of_run(run: Run) -> Iterator[Finding]:
    """What run.json holds about the data, also of runs that kept less.

    Raises:
        RunError: what it holds is damaged.
    """
    data = run.manifest.get("dataset", {})
    counts = data.get("photos", {})
    if counts:
        words = {"train": "to train on", "val": "to check with", "test": "only to report on"}
        said = ", ".join(f"{number:,} {words.get(name, name)}" for name, number in counts.items() if number)
        yield Finding("Photos", "note", f"{said}.")
    if "data_findings" in run.manifest:
        yield from _found(_read(run), run.dataset)
        return
    unreadable = int(data.get("unreadable", 0))
    if unreadable:
        yield Finding("Unreadable", "warning", f"{count(unreadable, 'photo')} could not be read and took no part.")
    else:
        yield Finding("Unreadable", "ok", "Every photo could be read.")


def _read(run: Run) -> DataFindings:
    try:
        return DataFindings.from_dict(run.manifest["data_findings"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"The manifest {run.path / MANIFEST} is damaged ({error!r}). Train the run again.") from error


def _found(known: DataFindings, root: Path) -> Iterator[Finding]:
    """A finding a kind, those first that want a look, and one that names what nothing was found of."""
    clear = []
    for kind in _ALL_KINDS:
        number = known.counts.get(kind)
        if not number:
            clear += [_ABSENT.get(kind, WORDS[kind].title.lower())] if number == 0 else []
            continue
        level: Any = "warning" if WORDS[kind].fault else "note"
        seen = [item for item in known.seen if item.kind is kind]
        photos = tuple(pair for place, item in enumerate(seen) for pair in _photos(place, item, len(seen), root))
        advice = WORDS[kind].advice.replace("--quarantine", "check-data --quarantine")
        yield Finding(WORDS[kind].title, level, f"{number:,} found. {advice}{_named(kind, seen)}", photos)
    if clear:
        yield Finding("Not found", "ok", f"Looked for in {known.photos:,} photos, without a find: {', '.join(clear)}.")
    yield Finding("The rest", "note", _REST)


def _named(kind: Kind, seen: list[Seen]) -> str:
    """What has no photo to show is said in words."""
    if kind is Kind.BALANCE:
        return f" {'; '.join(item.detail for item in seen)}."
    if kind is Kind.UNLISTED:
        return f" {'; '.join(f'{printable(item.photos[0])} ({item.detail})' for item in seen)}."
    return ""


def _photos(place: int, item: Seen, among: int, root: Path) -> Iterator[tuple[Path, str]]:
    """The photos of one example; those of several twins carry the number of their group."""
    if item.kind is Kind.UNLISTED:
        return
    group = f"group {place + 1}: " if among > 1 and len(item.photos) > 1 else ""
    for path in item.photos:
        yield Path(os.path.normpath(root / path)), f"{group}{item.detail}"


def doubts(predictions: Predictions, labels: Sequence[str]) -> Finding:
    """Suspected wrong labels among photos that a model was measured on."""
    found = doubtful(predictions.true, predictions.probabilities)
    title = WORDS[Kind.SUSPECT].title
    if not len(found):
        return Finding(title, "ok", "The model contradicts no label more surely than usual.")
    photos = tuple(
        (photo.path, in_words(predictions.probabilities[place], photo.label, labels))
        for place in found[:SHOWN]
        for photo in [predictions.photos[place]]
    )
    return Finding(
        title,
        "note",
        f"{len(found):,} found, the surest first: the model is sure of another class. Look at each.",
        photos,
    )


def check_step(run: Run) -> Step:
    """The command that looks at the data more closely, with this run's help."""
    names = (shlex.quote(printable(path)) for path in (run.dataset, run.path))
    return Step(
        "Look for the rest in the data, and for wrong labels among the training photos:",
        "phototriage check-data {} --run {} --output check".format(*names),
    )
