"""What the process that reads photos is told."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click


@dataclass(frozen=True)
class Job:
    """One call of `phototriage learn`.

    Attributes:
        new: where the new model is left if it is to be used; only the caller puts it elsewhere.
        labels: a file of labels, or a folder of class folders.
        base: the model that learns; None to make one of the labelled classes alone.
        filed: a file of filed photos; None without an inbox.
        names: new names of classes, by their present ones.
        yes, auto, dry_run, as_json: as the options say.
        report: folder for the page; None for none.
        audits: a file of what audits found; None without a report or an inbox.
        train_on: options of `train` that name the same labels; none if it cannot take them.
    """

    new: Path
    labels: Path
    base: Path | None
    filed: Path | None
    names: Mapping[str, str]
    yes: bool
    auto: bool
    dry_run: bool
    as_json: bool
    report: Path | None
    audits: Path | None = None
    train_on: Sequence[str] = ()

    def to_json(self) -> str:
        """The job as text; a path that is not UTF-8 stays what it is."""
        return json.dumps(
            {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        )

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job that `to_json` wrote."""
        value = json.loads(text)
        for key in ("new", "labels", "base", "filed", "report", "audits"):
            value[key] = None if value[key] is None else Path(value[key])
        return cls(**value)

    def say(self, step: str, found: str) -> None:
        """Print a step and its result, except where JSON is asked for."""
        if not self.as_json:
            click.echo(f"{step:<9}{found}")
