"""A run folder tells all that conversion needs, and anything less than a whole one is refused in a sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.geometry import Geometry
from training.errors import RunError
from training.measure.predictions import read_predictions
from training.run import load_run

Trained = tuple[Path, Path]


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    """A run folder to spoil."""
    return Path(shutil.copytree(trained[1], tmp_path / "copy"))


def rewrite(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((run / "run.json").read_text())
    change(manifest)
    (run / "run.json").write_text(json.dumps(manifest))


def test_a_run_tells_what_was_trained(trained: Trained) -> None:
    dataset, folder = trained
    run = load_run(folder)
    assert run.labels == ("blue", "green", "red")
    assert run.geometry == Geometry("stretch", 32)
    assert run.dataset == dataset
    assert 0.2 <= run.temperature <= 5.0
    assert set(run.thresholds) == set(run.labels)
    assert run.metrics["validation"]["photos"] == 6
    assert run.metrics["test"]["photos"] == 12
    assert run.recipe["fine_tune"]["epochs"] == 2
    assert len(run.data_hash) == 64


def test_the_validation_photos_are_those_held_out(trained: Trained) -> None:
    dataset, folder = trained
    run = load_run(folder)
    found = read_predictions(folder / "predictions.csv", run.dataset, run.labels)
    validation, test = found.of("val"), found.of("test")
    assert (len(validation.photos), len(test.photos)) == (6, 12)
    for photo in validation.photos:
        assert photo.path.is_file()
        assert photo.path.parent == dataset / run.labels[photo.label]
    assert found.learnt is not None
    assert not found.learnt.any()  # the network has learnt from the training photos alone


def test_the_network_takes_bytes_and_gives_logits(trained: Trained) -> None:
    network = load_run(trained[1]).load_keras()
    photos = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert network.input.name == "images"
    assert network.input.dtype == "uint8"
    logits = network.predict_on_batch(photos)
    assert logits.shape == (2, 3)
    assert logits.dtype == np.float32
    assert not np.allclose(logits.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda manifest: manifest.update(format=99), "format 99"),
        (lambda manifest: manifest.pop("format"), "format None"),
        (lambda manifest: manifest.pop("labels"), "damaged"),
        (lambda manifest: manifest.update(labels=["../x", "b", "c"]), "damaged"),
        (lambda manifest: manifest.update(labels=5), "damaged"),
        (lambda manifest: manifest["geometry"].update(id="other"), "damaged"),
        (lambda manifest: manifest.update(thresholds=[]), "damaged"),
        (lambda manifest: manifest.update(temperature="warm"), "damaged"),
        (lambda manifest: manifest.pop("model_sha256"), "damaged"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    rewrite(copy, change)
    with pytest.raises(RunError, match=sentence):
        load_run(copy)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_a_manifest_that_is_no_json_object_is_refused(copy: Path, text: str) -> None:
    (copy / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run\.json"):
        load_run(copy)


def test_a_folder_without_manifest_is_an_unfinished_run_or_none_at_all(copy: Path, tmp_path: Path) -> None:
    (copy / "run.json").unlink()
    with pytest.raises(RunError, match=r"holds an unfinished run.* new folder"):
        load_run(copy)
    (copy / "checkpoint.npz").touch()
    with pytest.raises(RunError, match=r"holds an unfinished run.* same train command"):
        load_run(copy)
    with pytest.raises(RunError, match="is not a run folder"):
        load_run(tmp_path)
    with pytest.raises(RunError, match="is not a run folder"):
        load_run(tmp_path / "nowhere")


def test_the_saved_network_is_the_network_alone(trained: Trained) -> None:
    network = load_run(trained[1]).load_keras()
    weights = sum(weight.nbytes for weight in network.get_weights())
    assert (trained[1] / "model.keras").stat().st_size < 1.2 * weights  # an optimizer's state would treble it


def test_a_network_other_than_the_manifests_is_refused(copy: Path) -> None:
    with (copy / "model.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="SHA-256 differs"):
        load_run(copy).load_keras()
    (copy / "model.keras").unlink()
    with pytest.raises(RunError, match="cannot be read"):
        load_run(copy).load_keras()


def test_damaged_predictions_are_named(copy: Path) -> None:
    (copy / "predictions.csv").write_text("path,split,true\nx,val,unknown\n")
    with pytest.raises(RunError, match=r"predictions\.csv"):
        read_predictions(copy / "predictions.csv", copy, load_run(copy).labels)
