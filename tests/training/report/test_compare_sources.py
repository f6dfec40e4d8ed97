"""What can be compared: runs, evaluations and model files, each as far as it goes; anything else is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import PhototriageError
from tests.colour_model import colour_model
from tests.training.report.conftest import MakeRun
from tests.training.report.support import LABELS, TAKEN, Page
from training.compare import compare_models
from training.compare.page import page
from training.compare.show import columns, row
from training.dataset.layout import Photo
from training.measure.evaluate import evaluate_model
from training.progress import Reporter
from training.run import Run

MakeFile = Callable[..., Path]


@pytest.fixture
def model_file(tmp_path: Path) -> MakeFile:
    """Write a model file that states the figures of a run, as conversion does."""

    def make(run: Run, **contract: Any) -> Path:
        file = tmp_path / "model.onnx"
        figures = {name: value for name, value in run.metrics["validation"].items() if name != "confusion"}
        stated: dict[str, Any] = {"metrics": {"validation": figures}, "data": {"sha256": run.data_hash},
                  "recipe": {**run.recipe, "initial_weights": {"name": "broad"}}}  # fmt: skip
        file.write_bytes(colour_model(LABELS, **(stated | contract)))
        return file

    return make


def test_a_run_is_paired_with_an_evaluation_of_the_same_photos(
    make_run: MakeRun, model_file: MakeFile, tmp_path: Path, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    monkeypatch.chdir(tmp_path)
    evaluate_model(model_file(run), Path("photos"), tmp_path / "measured", reporter)
    monkeypatch.chdir("/")
    compared = compare_models([run.path, tmp_path / "measured"])
    (pair,) = compared.pairs
    assert (pair.photos, pair.reference, pair.other) == (12, "mine", "measured")
    assert pair.p_value is not None
    assert row(compared.compared[1], compared)[1] == "evaluation of model.onnx"
    assert compared.settings == ()
    assert any("mine on validation photos, measured on photos" in words for words in compared.notes)
    assert not any("have different dataset folders" in words for words in compared.notes)


def test_a_model_file_stands_beside_its_run_with_its_figures_and_is_not_paired(
    make_run: MakeRun, model_file: MakeFile
) -> None:
    first, second = make_run("first"), make_run("second", epochs=9)
    compared = compare_models([model_file(first), first.path, second.path])
    assert [item.kind for item in compared.compared] == ["model file", "run", "run"]
    stated, measured = (item.figures for item in compared.compared[:2])
    assert (stated.photos, stated.accuracy, stated.recall) == (12, 0.75, measured.recall)
    assert stated.log_loss == pytest.approx(measured.log_loss, abs=1e-5)
    assert [(pair.reference, pair.other) for pair in compared.pairs] == [("first", "second")]
    assert compared.settings == (("fine_tune.epochs", ["5", "5", "9"]),)
    assert any("model.onnx holds figures without photos" in words for words in compared.notes)
    text = Page(page(compared)).text
    assert "second against first" in text
    assert "model.onnx holds figures without photos" in text


def test_what_a_smaller_precision_cost_is_said(make_run: MakeRun, model_file: MakeFile) -> None:
    run = make_run()
    metrics = {"validation": run.metrics["validation"], "int8": {"drop_points": 0.25}}
    compared = compare_models([run.path, model_file(run, precision="int8", metrics=metrics)])
    assert any("model.onnx computes in int8, which cost 0.25 points" in words for words in compared.notes)


def test_a_run_without_its_predictions_still_shows_figures(make_run: MakeRun) -> None:
    first, second = make_run("first"), make_run("second")
    (second.path / "predictions.csv").unlink()
    compared = compare_models([first.path, second.path])
    assert compared.pairs == ()
    assert compared.compared[1].figures.accuracy == 0.75


@pytest.mark.parametrize("photos_of_one", [3, 4])
def test_macro_recall_stands_beside_the_accuracy_where_classes_differ_in_size(
    make_run: MakeRun, photos: tuple[Photo, ...], photos_of_one: int
) -> None:
    kept = [number for number in range(12) if number == 8 or (number < 8 and number % 4 < photos_of_one)]
    few, taken = tuple(photos[number] for number in kept), [TAKEN[number] for number in kept]
    compared = compare_models([make_run("one", taken, of=few).path, make_run("two", taken, of=few).path])
    shown = dict(zip(columns(compared), row(compared.compared[0], compared), strict=True))
    assert ("macro recall" in shown) == (photos_of_one == 4)


def refused(*paths: Path) -> str:
    with pytest.raises(PhototriageError) as failure:
        compare_models(paths)
    return str(failure.value)


def test_what_cannot_be_compared_is_refused_in_one_sentence(
    make_run: MakeRun, model_file: MakeFile, tmp_path: Path
) -> None:
    run = make_run()
    assert "is given twice" in refused(run.path, run.path / "." / ".." / run.path.name)
    assert f"{tmp_path / 'none'} does not exist. Pass run folders," in refused(run.path, tmp_path / "none")
    photo = tmp_path / "photos" / "forest" / "00.jpg"
    assert "00.jpg is a file, but no model file." in refused(run.path, photo)
    shutil.copy(photo, tmp_path / "photo.onnx")
    assert "photo.onnx: onnxruntime cannot open this model" in refused(run.path, tmp_path / "photo.onnx")
    assert "states no figures" in refused(run.path, model_file(run, metrics={}))
    assert "is neither a run nor an evaluation" in refused(run.path, tmp_path / "photos")
    assert "holds 1 run. Pass it by its own path" in refused(run.path, run.path.parent)
    unfinished = make_run("unfinished")
    (unfinished.path / "run.json").rename(unfinished.path / "recipe.toml")
    assert "holds an unfinished run" in refused(run.path, unfinished.path)
    measured = tmp_path / "measured"
    measured.mkdir()
    (measured / "metrics.json").write_text(json.dumps({"model": "x"}), encoding="utf-8")
    assert "metrics.json is missing or damaged" in refused(run.path, measured)
