"""Findings about the data in a report: those from training, and how to find more."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.text import printable
from training.check.held_out import describe_suspect, suspect_labels
from training.check.kinds import KIND_TEXTS, Kind
from training.check.known import KINDS, SHOWN, DataFindings, FindingExample
from training.errors import RunError
from training.measure.predictions import Predictions
from training.report.content import NextStep, ReportFinding, count, percent
from training.run import MANIFEST, Run

_REST = "Training does not check for files of a wrong type, tiny pictures and odd sizes; phototriage check-data does."
_ABSENT = {Kind.BALANCE: "classes that are too small", Kind.CONFLICT: "photos under two labels",
           Kind.LEAK: "photos in two splits"}  # fmt: skip
SHOWN_CLASSES = 12
_ALL_KINDS = (*KINDS, Kind.SUSPECT)


def findings_of_run(run: Run) -> Iterator[ReportFinding]:
    """Yield the findings in run.json, also in that of older runs, which hold fewer.

    Raises:
        RunError: the findings are damaged.
    """
    data = run.manifest.get("dataset", {})
    counts = data.get("photos", {})
    if counts:
        words = {"train": "to train", "val": "to validate", "test": "to test"}
        said = ", ".join(f"{number:,} {words.get(name, name)}" for name, number in counts.items() if number)
        yield ReportFinding("Photos", "note", f"{said}.")
    yield from _pseudo_labels(run)
    if "data_findings" in run.manifest:
        yield from _found(_read(run), run.dataset)
        return
    unreadable = int(data.get("unreadable", 0))
    if unreadable:
        yield ReportFinding(
            "Unreadable", "warning", f"{count(unreadable, 'photo')} could not be read and were not used."
        )
    else:
        yield ReportFinding("Unreadable", "ok", "Every photo could be read.")


def _pseudo_labels(run: Run) -> Iterator[ReportFinding]:
    """What pseudo-labels taught, of a run that had photos without labels."""
    told = run.manifest.get("pseudo_labels")
    if told is None:
        return
    try:
        yield ReportFinding("Pseudo-labels", "note", f"{_shares(told)} {told['why']} {told['advice']}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(run, error) from error


def _shares(told: Mapping[str, Any]) -> str:
    classes = sorted(told["classes"].items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
    counts = ", ".join(f"{printable(name)} {number:,}" for name, number in classes)
    left_out = "; ".join(f"{number:,} {why}" for why, number in told["left_out"].items())
    return (
        f"{told['photos']:,} of the photos that the model learnt from ({percent(float(told['share']), 0)}) have no"
        f" person's label, but a teacher's answer: {counts}. They are among {told['found']:,} photos of"
        f" {printable(told['folder'])}{f' (left out: {left_out})' if left_out else ''}. None of them is in a figure, in"
        " a threshold, or among the photos that test later models."
    )


def _damaged(run: Run, error: Exception) -> RunError:
    return RunError(f"The manifest {run.path / MANIFEST} is damaged ({error!r}). Train the run again.")


def _read(run: Run) -> DataFindings:
    try:
        return DataFindings.from_dict(run.manifest["data_findings"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(run, error) from error


def _found(known: DataFindings, root: Path) -> Iterator[ReportFinding]:
    """Yield one finding a kind, and one that lists the kinds without findings."""
    clear = []
    for kind in _ALL_KINDS:
        number = known.counts.get(kind)
        if not number:
            clear += [_ABSENT.get(kind, KIND_TEXTS[kind].title.lower())] if number == 0 else []
            continue
        level: Any = "warning" if KIND_TEXTS[kind].fault else "note"
        seen = [item for item in known.examples if item.kind is kind]
        photos = tuple(pair for place, item in enumerate(seen) for pair in _photos(place, item, len(seen), root))
        advice = KIND_TEXTS[kind].advice.replace("--quarantine", "check-data --quarantine")
        yield ReportFinding(KIND_TEXTS[kind].title, level, f"{number:,} found. {advice}{_named(kind, seen)}", photos)
    if clear:
        yield ReportFinding("Not found", "ok", f"None found in {known.photos:,} photos: {', '.join(clear)}.")
    yield ReportFinding("The rest", "note", _REST)


def _named(kind: Kind, seen: list[FindingExample]) -> str:
    """The description of kinds that have no photo to show."""
    if kind is Kind.BALANCE:
        return f" {'; '.join(item.detail for item in seen)}."
    if kind is Kind.UNLISTED:
        return f" {'; '.join(f'{printable(item.photos[0])} ({item.detail})' for item in seen)}."
    return ""


def _photos(place: int, item: FindingExample, among: int, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the photos of one example; near duplicates get the number of their group."""
    if item.kind is Kind.UNLISTED:
        return
    group = f"group {place + 1}: " if among > 1 and len(item.photos) > 1 else ""
    for path in item.photos:
        yield Path(os.path.normpath(root / path)), f"{group}{item.detail}"


def suspect_label_finding(predictions: Predictions, labels: Sequence[str]) -> ReportFinding:
    """Suspected wrong labels among the measured photos."""
    found = suspect_labels(predictions.true, predictions.probabilities)
    title = KIND_TEXTS[Kind.SUSPECT].title
    if not len(found):
        return ReportFinding(title, "ok", "The model contradicts no label with more than usual certainty.")
    photos = tuple(
        (photo.path, describe_suspect(predictions.probabilities[place], photo.label, labels))
        for place in found[:SHOWN]
        for photo in [predictions.photos[place]]
    )
    return ReportFinding(
        title,
        "note",
        f"{len(found):,} found, the most certain first: the model is sure of another class. Check each one.",
        photos,
    )


def check_step(run: Run) -> NextStep:
    """The command that checks the data more closely with this run."""
    name = shlex.quote(printable(run.path.resolve().name))
    return NextStep(
        "Check the data further, also for wrong labels among the training photos:",
        f"phototriage check-data PHOTOS --run {name} --output check",
    )
