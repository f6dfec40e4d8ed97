"""A run whose labels, geometry or temperature are not those of its training is not published."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest

from common.drawing import KINDS, draw_scene
from contract.geometry import Geometry, to_input
from convert.errors import RecordedMismatchError
from convert.gate import keras_probabilities, onnx_probabilities, open_on_cpu
from convert.photos import parity_photos
from convert.recorded import RecordedParity, compare_recorded
from tests.convert.calls import refused
from training.dataset.digests import Digests
from training.dataset.layout import Photo
from training.errors import RunError
from training.measure.predictions import Predictions, read_predictions, write_predictions
from training.run import PREDICTIONS, Run, load_run

SIZE_PX = 64


@dataclass(frozen=True)
class Recorded:
    """A run, its exported network, and what its training recorded about photos."""

    run: Run
    session: ort.InferenceSession
    predictions: Predictions

    def compare(self, run: Run | None = None, predictions: Predictions | None = None) -> RecordedParity:
        """Compare as `convert` does."""
        run, predictions = run or self.run, predictions or self.predictions
        photos = parity_photos([photo.path for photo in predictions.photos], run.geometry, len(predictions.photos))
        return compare_recorded(self.session, run, predictions, photos, onnx_probabilities(self.session, photos.images))


@pytest.fixture(scope="module")
def final(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Predictions:
    """What the network answers about oblong photos, written by training's writer, beside other honest answers."""
    root = tmp_path_factory.mktemp("oblong")
    photos, images = [], []
    for number, kind in enumerate(sorted(KINDS) * 4):
        path = root / f"{number}.png"
        draw_scene(kind, number, (150, 60)).save(path)
        photos.append(Photo(path, 0, "val"))
        images.append(to_input(path, Geometry(size_px=SIZE_PX)))
    answers = keras_probabilities(network, 1.3, np.stack(images))
    hashes = Digests.of(hashlib.sha256(photo.path.read_bytes()).digest() for photo in photos)
    honest = np.full(answers.shape, 1 / answers.shape[1])
    return Predictions(tuple(photos), honest, answers, hashes)


@pytest.fixture
def folder(run_folder: Path, final: Predictions, tmp_path: Path) -> Path:
    """A run folder with true answers, to spoil."""
    copy = Path(shutil.copytree(run_folder, tmp_path / "run"))
    run = load_run(copy)
    write_predictions(copy / PREDICTIONS, final, run.dataset, run.labels)
    return copy


@pytest.fixture
def recorded(folder: Path, plain: onnx.ModelProto) -> Recorded:
    run = load_run(folder)
    predictions = read_predictions(folder / PREDICTIONS, run.dataset, run.labels)
    return Recorded(run, open_on_cpu(plain.SerializeToString()), predictions)


def reread(folder: Path, change: Callable[[dict[str, Any]], object]) -> Run:
    manifest = json.loads((folder / "run.json").read_text())
    change(manifest)
    (folder / "run.json").write_text(json.dumps(manifest))
    return load_run(folder)


def test_what_training_recorded_is_what_the_export_answers(recorded: Recorded) -> None:
    found = recorded.compare()
    assert (found.photos, found.changed, found.missing) == (24, 0, 0)
    assert found.max_difference < 1e-4
    assert "24 photos" in str(found)


def test_exchanged_answers_are_named_by_their_labels(recorded: Recorded) -> None:
    assert recorded.predictions.final is not None
    exchanged = recorded.predictions.final[:, [0, 4, 2, 3, 1, 5]]
    with pytest.raises(
        RecordedMismatchError, match=r"if labels are exchanged: '(\w+)' is now '(\w+)', '\2' is now '\1'\. "
    ):
        recorded.compare(predictions=replace(recorded.predictions, final=exchanged))


def test_labels_of_the_run_in_another_order_than_the_columns_are_refused(folder: Path) -> None:
    run = reread(folder, lambda manifest: manifest["labels"].reverse())
    with pytest.raises(RunError, match="labels were exchanged"):
        read_predictions(folder / PREDICTIONS, run.dataset, run.labels)


@pytest.mark.parametrize("temperature", [0.9, 1.45, 3.0])
def test_another_temperature_is_named(recorded: Recorded, network: Any, temperature: float) -> None:
    images = np.stack([to_input(photo.path, recorded.run.geometry) for photo in recorded.predictions.photos])
    told = keras_probabilities(network, temperature, images)
    with pytest.raises(RecordedMismatchError, match=f"They agree at a temperature of {temperature:.3g}, .* says 1.3"):
        recorded.compare(predictions=replace(recorded.predictions, final=told))


def test_another_geometry_is_named(recorded: Recorded) -> None:
    other = replace(recorded.run, geometry=Geometry("letterbox", SIZE_PX))
    with pytest.raises(RecordedMismatchError, match="They agree with the geometry exif-rgb-stretch-bilinear-1"):
        recorded.compare(other)


def test_answers_of_another_training_are_refused_without_a_guess_at_one_cause(recorded: Recorded) -> None:
    rng = np.random.default_rng(1)
    other: npt.NDArray[np.float64] = rng.dirichlet(np.ones(6), 24)
    with pytest.raises(RecordedMismatchError, match="not of one training"):
        recorded.compare(predictions=replace(recorded.predictions, final=other))


def test_changed_and_missing_photos_are_skipped_and_said(recorded: Recorded, tmp_path: Path) -> None:
    photos = list(recorded.predictions.photos)
    turned, gone = tmp_path / "turned.png", tmp_path / "gone.png"
    draw_scene("sea", 77).save(turned)
    photos[3], photos[5] = Photo(turned, 0, "val"), Photo(gone, 0, "val")
    found = recorded.compare(predictions=replace(recorded.predictions, photos=tuple(photos)))
    assert (found.photos, found.changed, found.missing) == (22, 1, 1)
    assert str(found).endswith("22 photos; 1 are missing or unreadable and 1 have changed")
    moved = tuple(Photo(gone, 0, "val") for _ in photos)
    nothing = recorded.compare(predictions=replace(recorded.predictions, photos=moved))
    assert "none of its photos is at hand (24 are missing" in str(nothing)


def test_a_run_of_an_earlier_version_is_converted_and_said_not_to_be_compared(recorded: Recorded) -> None:
    found = recorded.compare(predictions=replace(recorded.predictions, hashes=None))
    assert found.photos == 0
    assert "an earlier version wrote it" in str(found)


def test_the_honest_answers_are_not_those_that_the_export_must_give(recorded: Recorded) -> None:
    with pytest.raises(RecordedMismatchError):
        recorded.compare(predictions=replace(recorded.predictions, final=None))


def test_a_changed_temperature_stops_the_command_and_keeps_the_older_file(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "model.onnx"
    output.parent.mkdir()
    output.write_bytes(b"an older model")
    reread(folder, lambda manifest: manifest.update(temperature=0.6))
    refused(output, folder, because="They agree at a temperature of 1.3")
