"""Load runs for a comparison: metrics on the same kind of photos, size, time and settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.text import printable
from training.errors import RunError
from training.report.adapters import report_of_run
from training.report.content import SPLIT_WORDS, ReportInput, SplitPart
from training.report.sections import flat
from training.run import MODEL, Run, load_run


@dataclass(frozen=True)
class ComparedRun:
    """One run of a comparison.

    Attributes:
        part: the compared photos with probabilities and scores.
        size_bytes: size of model.keras; None if it is missing.
        seconds: time of the training; None if unknown.
    """

    name: str
    run: Run
    given: ReportInput
    part: SplitPart
    size_bytes: int | None
    seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        scores = self.part.scores.to_dict()
        figures = {name: value for name, value in scores.items() if name not in ("confusion", "classes", "auc")}
        sizes = {"size_bytes": self.size_bytes, "seconds": self.seconds}
        return {"name": self.name, "path": printable(self.run.path), **figures, **sizes}


def load_compared_runs(paths: Sequence[Path]) -> tuple[ComparedRun, ...]:
    """Load runs and their predictions: of test photos if all runs have some, otherwise of validation photos.

    Raises:
        RunError: a run is unfinished, has no predictions, or is given twice.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise RunError(f"The run {printable(path)} is given twice. Pass different runs.")
        seen.add(path.resolve())
    runs = [load_run(path) for path in paths]
    inputs = [report_of_run(run) for run in runs]
    held = [{part.split for part in given.parts} for given in inputs]
    split = "test" if all("test" in splits for splits in held) else "val"
    for run, splits in zip(runs, held, strict=True):
        if split not in splits:
            raise RunError(
                f"The run {printable(run.path)} has no {SPLIT_WORDS[split]} in predictions.csv. Train it again."
            )
    names = _names(runs)
    return tuple(_compared_run(*item, split) for item in zip(names, runs, inputs, strict=True))


def _names(runs: Sequence[Run]) -> list[str]:
    """Folder names, or whole paths if two runs share a folder name."""
    short = [printable(run.path.resolve().name) for run in runs]
    return short if len(set(short)) == len(short) else [printable(run.path) for run in runs]


def _compared_run(name: str, run: Run, given: ReportInput, split: str) -> ComparedRun:
    seconds = run.manifest.get("seconds")
    file = run.path / MODEL
    return ComparedRun(
        name=name,
        run=run,
        given=given,
        part=next(part for part in given.parts if part.split == split),
        size_bytes=file.stat().st_size if file.is_file() else None,
        seconds=sum(map(float, seconds.values())) if isinstance(seconds, dict) and seconds else None,
    )


def differing_settings(runs: Sequence[ComparedRun]) -> list[tuple[str, list[str]]]:
    """(setting, its value in each run) of the settings that differ; missing values are a dash."""
    tables = [dict(flat(run.run.recipe)) for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [(name, [table.get(name, "\N{EN DASH}") for table in tables]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
