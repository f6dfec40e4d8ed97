"""Runs made comparable: each with its figures on the same kind of photos, its size, its time and its settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.text import printable
from training.errors import RunError
from training.report.adapters import report_of_run
from training.report.content import SPLIT_WORDS, Part, ReportInput
from training.report.sections import flat
from training.run import MODEL, Run, load_run


@dataclass(frozen=True)
class Measured:
    """One run among others.

    part: the photos that the comparison is on, with their probabilities and scores.
    size_bytes: of model.keras, None if it is gone. seconds: what training took, None where the run does not say.
    """

    name: str
    run: Run
    given: ReportInput
    part: Part
    size_bytes: int | None
    seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        scores = self.part.scores.to_dict()
        figures = {name: value for name, value in scores.items() if name not in ("confusion", "classes", "auc")}
        sizes = {"size_bytes": self.size_bytes, "seconds": self.seconds}
        return {"name": self.name, "path": printable(self.run.path), **figures, **sizes}


def measure_runs(paths: Sequence[Path]) -> tuple[Measured, ...]:
    """Load runs and their predictions; test photos where all of them have some, else validation photos.

    Raises:
        RunError: one of them is no finished run, has no predictions, or stands twice among them.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise RunError(f"The run {printable(path)} is given twice. Pass runs that differ.")
        seen.add(path.resolve())
    runs = [load_run(path) for path in paths]
    inputs = [report_of_run(run) for run in runs]
    held = [{part.split for part in given.parts} for given in inputs]
    split = "test" if all("test" in splits for splits in held) else "val"
    for run, splits in zip(runs, held, strict=True):
        if split not in splits:
            raise RunError(f"The run {printable(run.path)} has no {SPLIT_WORDS[split]} among its predictions.")
    names = _names(runs)
    return tuple(_measured(*item, split) for item in zip(names, runs, inputs, strict=True))


def _names(runs: Sequence[Run]) -> list[str]:
    """Folder names, or whole paths where two runs share one."""
    short = [printable(run.path.resolve().name) for run in runs]
    return short if len(set(short)) == len(short) else [printable(run.path) for run in runs]


def _measured(name: str, run: Run, given: ReportInput, split: str) -> Measured:
    seconds = run.manifest.get("seconds")
    file = run.path / MODEL
    return Measured(
        name=name,
        run=run,
        given=given,
        part=next(part for part in given.parts if part.split == split),
        size_bytes=file.stat().st_size if file.is_file() else None,
        seconds=sum(map(float, seconds.values())) if isinstance(seconds, dict) and seconds else None,
    )


def differing_settings(runs: Sequence[Measured]) -> list[tuple[str, list[str]]]:
    """(setting, its value in each run) of the settings that are not the same everywhere; absent ones are a dash."""
    tables = [dict(flat(run.run.recipe)) for run in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [(name, [table.get(name, "\N{EN DASH}") for table in tables]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]
