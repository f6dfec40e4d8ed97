"""What a finished run is worth on its test photos, and what its thresholds would file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.measure.predictions import read_predictions
from training.run import PREDICTIONS, load_run


def measured(folder: Path) -> dict[str, Any]:
    """Figures of a run on its test photos, each a share but the log loss."""
    run = load_run(folder)
    test = read_predictions(folder / PREDICTIONS, run.dataset, run.labels).of("test")
    figures = run.metrics["test"]
    least = np.array([run.thresholds[label] for label in run.labels])
    top, predicted = test.probabilities.max(axis=1), test.probabilities.argmax(axis=1)
    right, filed = predicted == test.true, top >= least[predicted]
    return {
        "accuracy": round(figures["accuracy"], 4),
        "macro recall": round(figures["macro_recall"], 4),
        "least recall": round(min(item["recall"] for item in figures["classes"]), 4),
        "log loss": round(figures["log_loss"], 4),
        "fine-tuning kept": run.manifest["choice"]["kept"] == "fine-tuned",
        "filed: right": round(float(right[filed].mean()), 4) if filed.any() else None,
        "filed: of all": round(float(filed.mean()), 4),
        "oracle: of all": round(oracle(top, right, run.manifest["calibration"]["wanted"]), 4),
    }


def oracle(top: NDArray[np.floating[Any]], right: NDArray[np.bool_], precision: float) -> float:
    """The largest share of photos that one threshold can file at this precision, if it knows what is right.

    Args:
        top: highest probability of each photo, [N].
        right: whether that class is the true one, [N].
    """
    order = np.argsort(-top, kind="stable")
    reached = np.cumsum(right[order]) / np.arange(1, len(top) + 1) >= precision
    ends = np.append(np.diff(top[order]) != 0, True)  # photos with equal probability pass or fail together
    good = np.flatnonzero(reached & ends)
    return float(good[-1] + 1) / len(top) if len(good) else 0.0
