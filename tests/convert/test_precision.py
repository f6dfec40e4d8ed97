"""`--precision`: fp16 and int8 are made from the verified graph, measured, and published only where they are good."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from common.drawing import draw_scene
from contract.answers import run_session
from contract.geometry import Geometry
from contract.session import open_model
from convert.card import card
from convert.clean import clean
from convert.errors import AccuracyDropError, TooFewPhotosError
from convert.gate import Parity
from convert.graph import from_model
from convert.head import features_of, features_session, head_of
from convert.precision import Graphs, apply_precision
from convert.smaller.lower import to_fp16
from convert.smaller.measure import (
    CALIBRATION,
    LabelledPhotos,
    check_drop,
    measure_precision,
    one_thread,
    read_labelled,
    split,
)
from convert.smaller.rounding import STEPS, round_keeping_sum
from convert.stamp import stamp_model
from phototriage import cli
from tests.convert.calls import convert
from tests.convert.conftest import LABELS, drawings
from training.dataset.layout import Photo
from training.measure.predictions import Predictions, read_predictions
from training.run import PREDICTIONS, load_run

FROM_WEB = {"photos": 20, "licences": {"by": 12, "cc0": 8}, "owed": {"by": "name the creator"}}


@pytest.fixture(scope="session")
def int8(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published int8 file, as the command makes it."""
    output = tmp_path_factory.mktemp("smaller") / "int8.onnx"
    arguments = [str(run_folder), "--output", str(output), "--precision", "int8", "--max-drop", "50", "--json"]
    result = CliRunner().invoke(cli, ["convert", *arguments])
    assert result.exit_code == 0, result.output
    output.with_suffix(".json").write_text(result.stdout)
    return output


@pytest.fixture(scope="session")
def fp16(plain: onnx.ModelProto, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An fp16 file, made by the steps behind the command from the network that is exported already."""
    output, run = tmp_path_factory.mktemp("smaller") / "fp16.onnx", load_run(run_folder)
    validation = read_predictions(run.path / PREDICTIONS, run.dataset, run.labels)
    made = apply_precision("fp16", Graphs(plain, clean(plain), None), run, validation, 50, lambda _step, _found: None)
    run = replace(run, manifest={**run.manifest, "dataset": {**run.manifest["dataset"], "collected": FROM_WEB}})
    output.write_bytes(stamp_model(made.model, card(run, Parity("12 photos", 1e-6, 0), made, None)))
    return output


@pytest.fixture(params=["fp16", "int8"])
def smaller(request: pytest.FixtureRequest) -> Path:
    """A file of each smaller precision."""
    path: Path = request.getfixturevalue(request.param)
    return path


def test_the_card_counts_photos_from_the_web_by_licence_and_says_what_is_owed(fp16: Path, published: Path) -> None:
    assert open_model(fp16, "cpu").contract.data["collected"] == FROM_WEB
    assert "collected" not in open_model(published, "cpu").contract.data


def test_a_smaller_file_says_what_it_is_and_what_it_cost(smaller: Path, published: Path) -> None:
    contract = open_model(smaller, "cpu").contract
    assert contract.precision == smaller.stem
    measured = contract.metrics[smaller.stem]
    assert contract.metrics["parity"]["max_difference"] < 1e-4, "of fp32, from which it was made"
    assert smaller.stat().st_size < 0.6 * published.stat().st_size
    assert (measured["photos"], measured["calibrated_on"]) == {"fp16": (48, 0), "int8": (36, 12)}[smaller.stem]
    assert measured["cpu_speed"] > 0
    assert 1e-2 <= contract.tolerance["cpu"] <= contract.tolerance["cuda"]


def test_json_is_one_object_with_all_figures(int8: Path) -> None:
    facts = json.loads(int8.with_suffix(".json").read_text())
    assert facts["output"] == str(int8)
    assert facts["size_bytes"] == int8.stat().st_size
    assert facts["precision"] == "int8"
    assert facts["nodes"]["Conv"] == facts["nodes_exported"]["Conv"] == 52
    assert facts["parity"]["max_difference"] < 1e-4
    assert facts["measured"] == open_model(int8, "cpu").contract.metrics["int8"]
    assert facts["replaced"] is False


def test_a_smaller_file_answers_nearly_as_fp32(smaller: Path, published: Path) -> None:
    images, _ = drawings(per_kind=4, first_seed=60)
    fp32, other = (open_model(path, "cpu").run(images) for path in (published, smaller))
    # A network of random weights is far more fragile than a trained one; chance is 0.17.
    assert (fp32.argmax(axis=1) == other.argmax(axis=1)).mean() > {"fp16": 0.95, "int8": 0.5}[smaller.stem]
    assert other.dtype == np.float32


def test_sort_takes_each_precision_without_being_told(smaller: Path, tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    for seed in (90, 91):
        draw_scene("forest", seed).save(inbox / f"{seed}.jpg")
    arguments = ["sort", "--inbox", str(inbox), "--output", str(output), "--model", str(smaller), "--device", "cpu"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    filed = [path.parent.name for path in output.rglob("*.jpg")]
    assert len(filed) == 2
    assert set(filed) <= set(LABELS)


def test_fp16_computes_the_last_layer_and_the_softmax_in_float_and_rounds_no_answer(plain: onnx.ModelProto) -> None:
    half = to_fp16(clean(plain))
    onnx.checker.check_model(half, full_check=True)
    assert [node.op_type for node in half.graph.node][-3:] == ["Cast", "Gemm", "Softmax"]
    assert sum(node.op_type == "Cast" for node in half.graph.node) == 2
    answers = run_session(one_thread(half.SerializeToString()), drawings(per_kind=1)[0])
    assert not np.array_equal(answers, answers.astype(np.float16))


@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8"])
def test_the_head_of_each_precision_is_found_and_answers_for_its_features_as_the_model_does(
    plain: onnx.ModelProto, int8: Path, kind: str
) -> None:
    models = {"fp32": lambda: clean(plain), "fp16": lambda: to_fp16(clean(plain)), "int8": lambda: onnx.load(int8)}
    model = models[kind]()
    head, images = head_of(from_model(model)), drawings(per_kind=2)[0]
    assert head is not None
    assert head.kernel.shape == (1280, len(LABELS))
    features = features_of(features_session(model, head), images)
    assert features.shape == (12, 1280)
    answers = run_session(one_thread(model.SerializeToString()), images)
    assert np.abs(head.probabilities(features) - answers).max() < 1e-5


def test_int8_keeps_pixels_exact_and_every_convolution_whole(int8: Path) -> None:
    model = onnx.load(int8)
    constants = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    first = next(node for node in model.graph.node if "images" in node.input)
    assert first.op_type == "DequantizeLinear"
    assert (first.input[0], constants[first.input[1]].item(), constants[first.input[2]].item()) == ("images", 1.0, 127)
    writers = {name: node for node in model.graph.node for name in node.output}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convs) == 52
    assert all(writers[name].op_type == "DequantizeLinear" for node in convs for name in node.input)
    kernels = [constants[writers[node.input[1]].input[0]] for node in convs]
    assert {kernel.dtype for kernel in kernels} == {np.dtype(np.int8)}
    assert max(int(np.abs(kernel.astype(int)).max()) for kernel in kernels) <= 64, "or processors without VNNI overflow"


def test_a_precision_that_costs_too_much_is_refused_with_the_figures(published: Path) -> None:
    fp32, images = published.read_bytes(), drawings(per_kind=2, first_seed=70)[0]
    says = open_model(published, "cpu").run(images).argmax(axis=1)
    mixed = onnx.load(published)
    bias = next(item for item in mixed.graph.initializer if item.name == "gemm_0.2")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 99
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    measured = measure_precision(fp32, mixed.SerializeToString(), LabelledPhotos(images, says.astype(np.int64)), 0)
    assert measured.fp32_accuracy == 1.0
    assert measured.drop_points == pytest.approx(100 * (says != 0).mean())
    with pytest.raises(AccuracyDropError, match=r"int8 loses more than the 1 points .* top-1 100\.00% -> .*-\d+\.\d\d"):
        check_drop("int8", measured, 1.0)
    check_drop("int8", measured, 100.0)


def test_without_photos_to_measure_on_a_smaller_precision_is_refused(tmp_path: Path) -> None:
    gone = Predictions(tuple(Photo(tmp_path / f"{i}.jpg", 0, "val") for i in range(100)), np.ones((100, 2)) / 2)
    with pytest.raises(TooFewPhotosError, match="Only 0 of the run's 100 validation photos"):
        read_labelled(gone, Geometry(size_px=32))


def test_a_smaller_precision_is_measured_on_photos_that_the_final_model_has_not_learnt_from(tmp_path: Path) -> None:
    photos = tuple(Photo(tmp_path / f"{i}.png", i % 3, "val") for i in range(30))
    for photo in photos:
        draw_scene("forest", int(photo.path.stem)).save(photo.path)
    learnt = np.arange(30) % 2 == 0
    for given, count, said in ((learnt, 15, False), (learnt | True, 30, True), (None, 30, None)):
        found = read_labelled(Predictions(photos, np.ones((30, 3)) / 3, learnt=given), Geometry(size_px=32))
        assert (len(found.labels), found.learnt) == (count, said)
    assert set(found.labels) == {0, 1, 2}


@pytest.mark.parametrize("count", [12, 40, 1748])
def test_nothing_is_measured_on_what_was_calibrated_on(count: int) -> None:
    images = np.arange(count, dtype=np.uint32).view(np.uint8).reshape(count, 1, 1, 4)
    tuning, rest = split(LabelledPhotos(images, np.arange(count)))
    assert set(tuning.labels) | set(rest.labels) == set(range(count))
    assert not set(tuning.labels) & set(rest.labels)
    assert len(tuning.labels) == min(CALIBRATION, count // 4)
    assert np.diff(tuning.labels).max() <= count / len(tuning.labels) * 1.5 + 1, "evenly spread"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--output", "a.onnx", "--precision", "int4"),
        ("run", "--output", "a.onnx", "--max-drop", "2"),
        ("run", "--output", "a.onnx", "--precision", "int8", "--max-drop", "-1"),
        ("--check", "a.onnx", "--precision", "int8"),
        ("run", "--check", "a.onnx"),
    ],
)
def test_options_that_make_no_sense_together_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert convert(*arguments).exit_code == 2


def test_rounding_a_depthwise_kernel_keeps_its_sum_and_its_steps() -> None:
    kernel = np.random.default_rng(1).normal(0, 1, (64, 1, 3, 3)).astype(np.float32)
    kernel[5] = 0
    rounded = round_keeping_sum(kernel)
    step = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / STEPS
    whole = np.divide(rounded, step, out=np.zeros_like(rounded), where=step > 0)
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-4)
    assert np.abs(whole).max() <= STEPS + 1e-4
    assert (np.abs((rounded - kernel).sum(axis=(1, 2, 3))) <= 0.501 * step.ravel()).all()
    assert (np.abs(rounded - kernel) <= 1.001 * step).all()
