"""What is compared: a run folder, the folder of an evaluation, or a model file, each with its figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.text import printable
from contract.labels import check_labels
from contract.session import naming, read_contract, read_model
from training.dataset.digests import Digests
from training.errors import RunError
from training.measure.evaluate import METRICS
from training.measure.figures import SplitFigures, read_figures
from training.measure.predictions import read_predictions
from training.report.content import SPLIT_WORDS, ReportInput, SplitPart
from training.report.read import read_history
from training.report.sections import flat
from training.run import CHECKPOINT, HISTORY, MANIFEST, MODEL, PREDICTIONS, RECIPE, load_run

Kind = Literal["run", "evaluation", "model file"]
_SPLITS = ("test", "val", "", "train")  # the photos least used in training first
_CARDS = {"test": "test", "validation": "val"}


@dataclass(frozen=True)
class Compared:
    """One side of a comparison.

    Attributes:
        known: figures by split.
        parts: photos with their probabilities by split; empty where only figures are known.
        hashes: of these photos by split; empty where they are unknown.
        root: the dataset, to which shown paths are relative; None where no photos are known.
        recipe: settings of the training; empty if unknown.
        data_hash: of the photos trained on; empty if unknown.
        what: what it is, in words; empty for its kind.
        notes: what its figures leave unsaid, each to follow its name.
        size_bytes, seconds: size of the model, and time of the training; None if unknown.
        name: how the comparison calls it; `split`: which photos it compares.
    """

    path: Path
    kind: Kind
    labels: tuple[str, ...]
    known: Mapping[str, SplitFigures]
    parts: Mapping[str, SplitPart] = field(default_factory=dict)
    hashes: Mapping[str, Digests] = field(default_factory=dict)
    root: Path | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data_hash: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    size_bytes: int | None = None
    seconds: float | None = None
    what: str = ""
    notes: tuple[str, ...] = ()
    name: str = ""
    split: str = ""

    @property
    def figures(self) -> SplitFigures:
        """The figures that are compared."""
        return self.known[self.split]

    @property
    def part(self) -> SplitPart | None:
        """The photos that are compared; None where only figures are known."""
        return self.parts.get(self.split)

    @property
    def words(self) -> str:
        """The name of the compared photos."""
        return SPLIT_WORDS[self.split]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        own = self.figures
        macros = {f"macro_{name}": getattr(own, name) for name in ("precision", "recall", "f1", "auc")}
        measured = {"photos": own.photos, "accuracy": own.accuracy, "interval": list(own.interval),
                    "log_loss": own.log_loss, "calibration_error": own.calibration_error}  # fmt: skip
        return {"name": self.name, "path": printable(self.path), "kind": self.kind, "measured_on": self.words,
                **measured, **macros, "size_bytes": self.size_bytes, "seconds": self.seconds}  # fmt: skip


def load_compared(paths: Sequence[Path]) -> tuple[Compared, ...]:
    """Read what is compared; all with the same kind of photos if they have one in common.

    Raises:
        PhototriageError: one cannot be read or compared, or is given twice.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise RunError(f"{printable(path)} is given twice. Pass different ones.")
        seen.add(path.resolve())
    found = [read_source(path) for path in paths]
    common = next((split for split in _SPLITS if all(split in item.known for item in found)), None)
    return tuple(
        replace(item, name=name, split=next(s for s in _SPLITS if s in item.known) if common is None else common)
        for name, item in zip(_names(paths), found, strict=True)
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of files and folders, or whole paths if two share a name."""
    short = [printable(path.resolve().name) for path in paths]
    return short if len(set(short)) == len(short) else [printable(path) for path in paths]


def read_source(path: Path) -> Compared:
    """Read a run folder, an evaluation folder or a model file.

    Raises:
        PhototriageError: it is none of them, unfinished, or damaged.
    """
    if not path.exists():
        raise RunError(f"{printable(path)} does not exist. {_EXPECTED}")
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        return _model_file(path)
    folder = path.parent if path.name == MODEL else path
    if not folder.is_dir():
        raise RunError(f"{printable(path)} is a file, but no model file. {_EXPECTED}")
    if (folder / METRICS).is_file() and not (folder / MANIFEST).is_file():
        return _evaluation(folder)
    if not any((folder / name).is_file() for name in (MANIFEST, CHECKPOINT)):
        _refuse(folder)
    return _run(folder)


def _refuse(folder: Path) -> None:
    """Raise RunError for a folder that holds no run, unless its recipe shows that a training began here."""
    inside = sum(1 for _ in folder.glob(f"*/{MANIFEST}"))
    if inside:
        runs, them = ("run", "it by its") if inside == 1 else ("runs", "them by their")
        raise RunError(f"{printable(folder)} holds {inside:,} {runs}. Pass {them} own path{'s' * (inside > 1)}.")
    if not (folder / RECIPE).is_file():
        raise RunError(
            f"{printable(folder)} is neither a run nor an evaluation: it has no {MANIFEST} and no {METRICS}."
            f" {_EXPECTED}"
        )


_EXPECTED = "Pass run folders, folders that `phototriage evaluate --output` wrote, or .onnx files."


def _run(folder: Path) -> Compared:
    run = load_run(folder)
    seconds, file = run.manifest.get("seconds"), folder / MODEL
    parts: dict[str, SplitPart] = {}
    hashes: dict[str, Digests] = {}
    if (folder / PREDICTIONS).is_file():
        parts, hashes = _parts(folder, run.dataset, run.labels)
        known = _figures_of(parts)
    else:
        known = _cards(run.metrics, folder)
    return Compared(
        folder, "run", run.labels, known, parts, hashes, run.dataset if parts else None, run.recipe, run.data_hash,
        read_history(folder / HISTORY), file.stat().st_size if file.is_file() else None,
        sum(map(float, seconds.values())) if isinstance(seconds, dict) and seconds else None,
    )  # fmt: skip


def _evaluation(folder: Path) -> Compared:
    file = folder / METRICS
    try:
        value = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
        labels, root = check_labels(value["labels"]), Path(value["dataset"]).absolute()
        what = f"evaluation of {printable(Path(value['model']).name)}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{file} is missing or damaged ({error!r}). Evaluate the model again.") from error
    parts, hashes = _parts(folder, root, labels)
    return Compared(folder, "evaluation", labels, _figures_of(parts), parts, hashes, root, what=what)


def _model_file(file: Path) -> Compared:
    data = read_model(file)
    with naming(file):
        contract = read_contract(data)
    recipe = {name: value for name, value in contract.recipe.items() if name != "initial_weights"}
    return Compared(
        file, "model file", contract.labels, _cards(contract.metrics, file), recipe=recipe,
        data_hash=str(contract.data.get("sha256", "")), size_bytes=len(data),
        notes=() if contract.precision == "fp32" else (_smaller(contract.precision, contract.metrics),),
    )  # fmt: skip


def _smaller(precision: str, metrics: Mapping[str, Any]) -> str:
    lost = metrics.get(precision, {}).get("drop_points")
    words = f", which cost {lost:.2f} points of accuracy when it was converted" if isinstance(lost, float) else ""
    return f"computes in {precision}{words}; its figures here are those in fp32"


def _parts(folder: Path, root: Path, labels: Sequence[str]) -> tuple[dict[str, SplitPart], dict[str, Digests]]:
    """The photos of predictions.csv by split, and their hashes where it holds some."""
    predictions = read_predictions(folder / PREDICTIONS, root, labels)
    parts = {part.split: part for part in ReportInput("", labels, predictions, root).parts}
    splits = np.array([photo.split for photo in predictions.photos])
    known = predictions.hashes
    return parts, {} if known is None else {split: known.take(np.flatnonzero(splits == split)) for split in parts}


def _figures_of(parts: Mapping[str, SplitPart]) -> dict[str, SplitFigures]:
    return {split: read_figures(part.scores.metrics.card()) for split, part in parts.items()}


def _cards(metrics: Mapping[str, Any], path: Path) -> dict[str, SplitFigures]:
    """Figures that a run or a model file states without the photos.

    Raises:
        RunError: there are none.
    """
    try:
        known = {split: read_figures(metrics[name]) for name, split in _CARDS.items() if metrics.get(name)}
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"The figures in {printable(path)} are damaged ({error!r}). Measure it again.") from error
    if not known:
        raise RunError(
            f"{printable(path)} states no figures, so there is nothing to compare. Measure it on labelled photos with"
            " `phototriage evaluate --output`, and compare that folder."
        )
    return known


def differing_settings(compared: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """(setting, its value in each) of the settings that differ among those whose settings are known; else a dash."""
    tables = [dict(flat(item.recipe)) for item in compared]
    told = [table for table in tables if table]
    names = dict.fromkeys(name for table in told for name in table)
    differing = [name for name in names if len({table.get(name) for table in told}) > 1]
    return [(name, [table.get(name, "\N{EN DASH}") for table in tables]) for name in differing]
