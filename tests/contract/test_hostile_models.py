"""What is not what it promises is not opened, whoever made it: spoilt files, graphs and contracts."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from common.errors import ContractError, ModelError, PhototriageError
from contract import limits
from contract.familiarity import Familiarity
from contract.metadata import FAMILIARITY_NAME, NEAREST_NAME
from contract.session import MAX_MODEL_BYTES, open_model
from contract.shipped import SHIPPED_MODEL
from tests.colour_model import FAMILIAR, colour_graph, colour_model, contract_text, with_changes, with_metadata

Edit = Callable[[Any], None]


def edited(edit: Edit, familiarity: Familiarity | None = None) -> bytes:
    """Return the colour model with its graph changed behind its contract's back."""
    proto = onnx.load_from_string(colour_model(familiarity=familiarity))
    edit(proto)
    return bytes(proto.SerializeToString())


def refusal(data: bytes | Path, error: type[PhototriageError] = ModelError) -> str:
    with pytest.raises(error) as caught:
        open_model(data, "cpu")
    assert type(caught.value) is error
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700
    return str(caught.value)


@pytest.mark.parametrize("name", ["missing.onnx", ".", "a" * 300])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in refusal(tmp_path / name)


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    path.touch()
    os.truncate(path, MAX_MODEL_BYTES + 1)
    assert "larger than" in refusal(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\0" * 999, colour_model()[:-400], colour_model()[: len(colour_model()) // 2], b"\x08\x08"],
    ids=["empty", "text", "zeros", "cut", "half", "header"],
)
def test_what_is_no_whole_model_is_refused_without_noise(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((ModelError, ContractError)):
        open_model(data, "cpu")
    assert capfd.readouterr() == ("", "")


def test_a_model_without_a_contract_is_refused_with_the_cure() -> None:
    assert "phototriage convert" in refusal(colour_graph(3), ContractError)
    assert "phototriage convert" in refusal(with_metadata(colour_model(), None), ContractError)


def test_metadata_that_is_no_text_is_refused() -> None:
    assert "UTF-8" in refusal(colour_model().replace(b'"format"', b'"f\xff\xfemat"'), ContractError)


@pytest.mark.parametrize(
    "changes",
    [{"labels": ["../../x", "b", "c"]}, {"format": 3}, {"golden": []}, {"temperature": None}, {"labels": ["a", "b"]}],
    ids=str,
)
def test_a_broken_contract_is_refused_before_anything_runs(changes: dict[str, Any]) -> None:
    refusal(with_changes(colour_model(), **changes), ContractError)


def test_changed_golden_answers_are_refused() -> None:
    data = colour_model()
    cases = json.loads(contract_text(data))["golden"]
    cases[0]["probabilities"].reverse()
    assert "does not compute" in refusal(with_changes(data, golden=cases))


def rename_input(proto: Any) -> None:
    proto.graph.input[0].name = proto.graph.node[0].input[0] = "photos"


def rename_output(proto: Any) -> None:
    proto.graph.output[0].name = proto.graph.node[-1].output[0] = "scores"


def float_input(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def other_size(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 33


def second_output(proto: Any) -> None:
    proto.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3]))


def fixed_batch(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


@pytest.mark.parametrize("edit", [rename_input, rename_output, float_input, other_size, second_output, fixed_batch])
def test_a_graph_that_is_not_what_the_contract_says_is_refused(edit: Edit) -> None:
    refusal(edited(edit), ContractError)


def reshaped(proto: Any, shape: list[int]) -> None:
    """Bend the logits into a fixed shape, past onnxruntime's inference of shapes."""
    proto.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int64), "zero"))
    proto.graph.node[-1].input[0] = "bent"
    nodes = [
        helper.make_node("Shape", ["images"], ["images_shape"]),
        helper.make_node("Gather", ["images_shape", "zero"], ["first"]),
        helper.make_node("Mul", ["first", "zero"], ["nothing"]),
        helper.make_node("Add", ["shape", "nothing"], ["computed"]),
        helper.make_node("Reshape", ["logits", "computed"], ["bent"]),
    ]
    for place, node in enumerate(nodes, 4):
        proto.graph.node.insert(place, node)


@pytest.mark.parametrize("shape", [[1, 3], [7, 3]], ids=["takes-one-photo-only", "always-fails"])
def test_a_model_that_fails_when_it_runs_is_refused_at_the_start(
    shape: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert "fails when it runs" in refusal(edited(lambda proto: reshaped(proto, shape)))
    assert capfd.readouterr() == ("", "")


def test_a_changed_weight_is_noticed() -> None:
    def change(proto: Any) -> None:
        matrix = next(item for item in proto.graph.initializer if item.name == "matrix")
        matrix.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(matrix) * np.float32(1.05), "matrix"))

    assert "does not compute what was verified" in refusal(edited(change))


def spoilt(proto: Any, output: str, operator: str, *values: Any) -> None:
    """Put an operation with constants behind an output."""
    node = next(node for node in proto.graph.node if output in node.output)
    node.output[0] = "before"
    names = [f"constant_{place}" for place in range(len(values))]
    for name, value in zip(names, values, strict=True):
        proto.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    proto.graph.node.append(helper.make_node(operator, ["before", *names], [output]))


@pytest.mark.parametrize(
    ("output", "operator", "values", "said"),
    [
        (FAMILIARITY_NAME, "Add", [np.float32(np.nan)], "the familiarity differs by nan"),
        (NEAREST_NAME, "Add", [77], "but it has 3 classes"),
        (NEAREST_NAME, "Sub", [77], "but it has 3 classes"),
        (NEAREST_NAME, "Slice", [[0], [1]], "nearest class of the model has the shape"),
    ],
    ids=["nan", "above", "below", "of-one-photo-only"],
)
def test_what_a_model_knows_beside_its_classes_is_checked_too(
    output: str, operator: str, values: list[Any], said: str
) -> None:
    assert said in refusal(edited(lambda proto: spoilt(proto, output, operator, *values), FAMILIAR))


def outside(tensor: Any, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


@pytest.mark.parametrize("holder", ["initializer", "constant"])
@pytest.mark.parametrize("absolute", [False, True])
def test_weights_in_another_file_are_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: str, absolute: bool
) -> None:
    """A stranger's model could name any file of the machine."""
    monkeypatch.chdir(tmp_path)

    def send_outside(proto: Any) -> None:
        matrix = next(item for item in proto.graph.initializer if item.name == "matrix")
        (tmp_path / "weights.bin").write_bytes(matrix.raw_data)
        outside(matrix, str(tmp_path / "weights.bin") if absolute else "weights.bin")
        if holder == "constant":
            node = helper.make_node("Constant", [], ["matrix"], value=matrix)
            proto.graph.initializer.remove(matrix)
            proto.graph.node.insert(0, node)

    assert "onnxruntime cannot open this model" in refusal(edited(send_outside))


def test_an_operator_from_outside_onnx_is_refused() -> None:
    def change(proto: Any) -> None:
        proto.graph.node[-1].domain = "stranger.example"
        proto.opset_import.append(helper.make_opsetid("stranger.example", 1))

    assert "onnxruntime cannot open this model" in refusal(edited(change))


def test_another_container_than_onnx_is_refused(tmp_path: Path) -> None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(colour_model(), options, providers=["CPUExecutionProvider"])
    refusal(tmp_path / "model.ort")


def endless(proto: Any) -> None:
    """Make the model compute for ever, at the first photo."""
    for name, value in (("most", np.array(2**62)), ("go", np.array(True))):
        proto.graph.initializer.append(numpy_helper.from_array(value, name))
    inputs = [
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (("i", TensorProto.INT64), ("on", TensorProto.BOOL))
    ]
    output = helper.make_tensor_value_info("still", TensorProto.BOOL, [])
    body = helper.make_graph([helper.make_node("Identity", ["on"], ["still"])], "body", inputs, [output])
    proto.graph.node.append(helper.make_node("Loop", ["most", "go"], [], body=body))


def function(proto: Any) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    opsets = [helper.make_opsetid("", 18)]
    proto.functions.append(helper.make_function("own", "f", ["x"], ["y"], nodes, opsets))


def test_loops_branches_and_functions_are_refused_before_anything_runs() -> None:
    assert "graphs inside an operation (Loop)" in refusal(edited(endless))
    assert "functions of its own" in refusal(edited(function))


def test_the_shipped_model_is_a_straight_line() -> None:
    open_model(SHIPPED_MODEL, "cpu")


def into_the_scale(proto: Any, number: str, before: list[Any]) -> None:
    """Let the answer depend on a number that nodes compute first."""
    next(node for node in proto.graph.node if node.op_type == "Mul").input[1] = "times"
    for place, node in enumerate([*before, helper.make_node("Mul", ["scale", number], ["times"])]):
        proto.graph.node.insert(place, node)


def hungry(proto: Any, count: int) -> None:
    """Ask for so many numbers that stand nowhere in the file."""
    one = numpy_helper.from_array(np.array([1.0], np.float32), "value")
    proto.graph.initializer.append(numpy_helper.from_array(np.array([count], np.int64), "count"))
    many = helper.make_node("ConstantOfShape", ["count"], ["many"], value=one)
    into_the_scale(proto, "largest", [many, helper.make_node("ReduceMax", ["many"], ["largest"], keepdims=0)])


@pytest.mark.parametrize("count", [limits.MODEL_MEMORY_BYTES // 2, 10**13])
def test_a_model_that_asks_for_more_memory_than_models_need_is_refused_and_the_limit_is_lifted(
    count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    open_model(edited(lambda proto: hungry(proto, 10)), "cpu")
    assert "fails when it runs" in refusal(edited(lambda proto: hungry(proto, count)))
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert capfd.readouterr() == ("", "")


def lengthy(proto: Any) -> None:
    """Multiply a matrix that depends on the photo 300 times: nothing of it can be computed beforehand."""
    for name, value in (
        ("eye", np.eye(1024, dtype=np.float32)), ("rows", np.array([-1, 1024])), ("none", np.array(0, np.float32)),
        ("one", np.array(1, np.float32)),
    ):  # fmt: skip
        proto.graph.initializer.append(numpy_helper.from_array(value, name))
    steps = [helper.make_node("MatMul", [f"m{number}", "eye"], [f"m{number + 1}"]) for number in range(300)]
    before = [
        helper.make_node("Cast", ["images"], ["again"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["again", "rows"], ["m0"]),
        *steps,
        helper.make_node("ReduceMax", ["m300"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["about_one"]),
    ]
    into_the_scale(proto, "about_one", before)


def test_a_model_that_takes_too_long_to_prove_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = edited(lengthy)
    monkeypatch.setattr(limits, "PROOF_S", 0.0)
    assert "terminate flag" in refusal(data)


def test_a_pipe_in_place_of_a_model_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    assert "is not a file" in refusal(tmp_path / "model.onnx")
