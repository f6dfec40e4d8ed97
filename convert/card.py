"""What the contract says of a run: the run's own promises, and of its figures those that are worth carrying."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from contract.metadata import Contract
from contract.text import printable
from convert.gate import Parity
from convert.precision import Made
from convert.stamp import versions
from training.errors import RunError
from training.run import Run


def card(run: Run, parity: Parity, made: Made) -> Contract:
    """Write the contract of a run that has passed the gate.

    Raises ContractError where the run breaks it, RunError where its manifest is damaged.
    """
    try:
        return Contract(
            labels=run.labels,
            geometry=run.geometry,
            precision=made.precision,
            temperature=run.temperature,
            thresholds=run.thresholds,
            metrics={**_without_confusion(run.metrics), "parity": asdict(parity), **_smaller(made)},
            recipe={**run.recipe, "initial_weights": run.manifest.get("weights", {})},
            data={"name": printable(run.dataset.name), "sha256": run.data_hash, "photos": _photos(run)},
            made_by={**versions(), "trained with": _in_words(run.manifest.get("made_by", {}))},
            golden=made.golden,
            tolerance=made.tolerance,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise RunError(f"The manifest of {run.path} is damaged ({error!r}). Train the run again.") from error


def _photos(run: Run) -> Mapping[str, int]:
    """Photos per split."""
    counts: Mapping[str, int] = run.manifest["dataset"].get("photos", {})
    return counts


def _smaller(made: Made) -> dict[str, Any]:
    """What the precision cost and brought; the run's own metrics are those of fp32."""
    return {made.precision: asdict(made.measured)} if made.measured is not None else {}


def _without_confusion(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the tables that grow with the square of the classes: a thousand classes would outgrow the contract."""
    return {
        split: {name: figure for name, figure in figures.items() if name != "confusion"}
        for split, figures in metrics.items()
    }


def _in_words(made_by: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in made_by.items())
