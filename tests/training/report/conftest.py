"""Finished runs for reports, of drawn photos and of probabilities that are chosen, so that every figure is known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.report.support import HISTORY_TEXT, LABELS, TAKEN, TRUE, draw_photos, probabilities
from training.dataset.layout import Photo
from training.measure.metrics import compute_metrics
from training.measure.predictions import Predictions, write_predictions
from training.run import HISTORY, MODEL, PREDICTIONS, Run, load_run, write_manifest


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Photo, ...]:
    """Twelve drawn photos of three classes."""
    return draw_photos(tmp_path / "photos", TRUE, LABELS)


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path, photos: tuple[Photo, ...]) -> MakeRun:
    """Write a finished run folder as training does; by default of the twelve photos and `TAKEN`."""

    def make(
        name: str = "mine",
        taken: Sequence[tuple[int, float]] = TAKEN,
        labels: Sequence[str] = LABELS,
        of: tuple[Photo, ...] = photos,
        root: Path = tmp_path / "photos",
        epochs: int = 5,
        **more: Any,
    ) -> Run:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        predictions = Predictions(of, probabilities(taken, len(labels)))
        write_predictions(folder / PREDICTIONS, predictions, root, labels)
        (folder / HISTORY).write_text(HISTORY_TEXT, encoding="utf-8")
        (folder / MODEL).write_bytes(b"no network is loaded for a report")
        metrics = compute_metrics(predictions.true, predictions.probabilities, labels)
        manifest = {
            "labels": list(labels),
            "geometry": {"id": "exif-rgb-stretch-bilinear-1", "size_px": 96},
            "temperature": 1.1,
            "thresholds": dict.fromkeys(labels, 0.65),
            "metrics": {"validation": metrics.to_dict()},
            "recipe": {"seed": 0, "precision": 0.95, "fine_tune": {"epochs": epochs, "unfreeze": "all"}},
            "dataset": {"root": str(root), "layout": "class folders", "sha256": "0" * 64,
                        "photos": {"train": 48, "val": 12, "test": 0}, "unreadable": 2},
            "seconds": {"data": 1.5, "head": 2.5},
            "device": "the CPU, 2 cores",
            "made_by": {"keras": "3.15.1"},
        }  # fmt: skip
        write_manifest(folder, manifest | more)
        return load_run(folder)

    return make
