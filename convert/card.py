"""Build the contract of a run: labels, geometry, thresholds, and the metrics that belong into a model file."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from common.text import printable
from contract.memory import MemoryFacts
from contract.metadata import Contract
from convert.gate import Parity
from convert.precision import PrecisionResult
from convert.stamp import versions
from training.errors import RunError
from training.run import Run


def card(run: Run, parity: Parity, made: PrecisionResult, memory: MemoryFacts | None) -> Contract:
    """Build the contract of a run that has passed the gate.

    Args:
        memory: what the companion file holds; None without one.

    Raises:
        ContractError: the run breaks a rule of the contract.
        RunError: the manifest of the run is damaged.
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
            data={
                "name": printable(run.dataset.name),
                "sha256": run.data_hash,
                "photos": _photos(run),
                **_labels(run),
                **_collected(run),
            },
            made_by={**versions(), "trained with": _in_words(run.manifest.get("made_by", {}))},
            golden=made.golden,
            tolerance=made.tolerance,
            familiarity=made.familiarity,
            memory=memory,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise RunError(f"The manifest of {run.path} is damaged ({error!r}). Train the run again.") from error


def _photos(run: Run) -> Mapping[str, int]:
    """Photos per split."""
    counts: Mapping[str, int] = run.manifest["dataset"].get("photos", {})
    return counts


def _labels(run: Run) -> dict[str, Any]:
    """How many photos people had labelled, and the hash of the labels; how many pseudo-labels taught, and their share.

    Nothing for a run without the one or the other.
    """
    labels, pseudo = run.manifest["dataset"].get("labels"), run.manifest.get("pseudo_labels")
    said = {} if labels is None else {"labels": {"photos": labels["photos"], "sha256": labels["sha256"]}}
    return said if pseudo is None else {**said, "pseudo_labels": {name: pseudo[name] for name in ("photos", "share")}}


def _collected(run: Run) -> dict[str, Any]:
    """How many photos from the web taught, by licence, and what is owed; nothing for a run without them."""
    collected = run.manifest["dataset"].get("collected")
    return {} if collected is None else {"collected": collected}


def _smaller(made: PrecisionResult) -> dict[str, Any]:
    """Metrics of a smaller precision. The metrics of the run itself are those of fp32."""
    return {made.precision: asdict(made.measured)} if made.measured is not None else {}


def _without_confusion(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the confusion matrix, because that of a thousand classes does not fit into the contract."""
    return {
        split: {name: figure for name, figure in figures.items() if name != "confusion"}
        for split, figures in metrics.items()
    }


def _in_words(made_by: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in made_by.items())
