"""An opened model answers as it promises, and says where it runs. Real graphs, real onnxruntime."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from common.errors import DeviceError, ModelError
from contract.geometry import Geometry, to_input
from contract.gpu import cuda_obstacle
from contract.session import Model, open_model, read_contract
from tests.colour_model import colour_model, contract_text
from tests.contract.photos import encoded

WITHOUT_CUDA = pytest.mark.skipif(not cuda_obstacle(), reason="this machine has CUDA")


@pytest.fixture(scope="module")
def model() -> Model:
    return open_model(colour_model(), "cpu")


@pytest.mark.parametrize(("colour", "label"), [("red", "red"), ("lime", "green"), ("blue", "blue")])
def test_a_photo_is_classified_as_its_contract_says(model: Model, colour: str, label: str) -> None:
    photo = to_input(encoded(Image.new("RGB", (64, 48), colour), "JPEG"), model.contract.geometry)
    (probabilities,) = model.run(photo[None])
    assert model.contract.labels[int(probabilities.argmax())] == label
    assert probabilities.max() > 0.99
    assert probabilities.dtype == np.float32


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_batch_gives_what_single_photos_give(model: Model, size: int) -> None:
    images = np.random.default_rng(size).integers(0, 256, (size, 32, 32, 3), np.uint8)
    together = model.run(images)
    assert together.shape == (size, 3)
    assert together.sum(axis=1) == pytest.approx(1.0)
    alone = np.concatenate([model.run(image[None]) for image in images])
    assert np.abs(together - alone).max() < 1e-5


def test_several_threads_may_ask_one_model(model: Model) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 1, 32, 32, 3), np.uint8)
    wanted = [model.run(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(a, b) for a, b in zip(pool.map(model.run, images), wanted, strict=True))


@pytest.mark.parametrize("images", [np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 31, 32, 3), np.uint8)])
def test_an_input_of_another_type_or_shape_is_rejected_by_the_runtime(model: Model, images: Any) -> None:
    with pytest.raises(Exception, match=r"uint8|INVALID_ARGUMENT"):
        model.run(images)


def test_hash_contract_and_session_come_from_one_read(tmp_path: Path) -> None:
    data = colour_model()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    opened = open_model(path, "cpu")
    assert opened.sha256 == hashlib.sha256(data).hexdigest()
    assert opened.contract == read_contract(data)
    assert opened.contract.to_json() == contract_text(data)


def test_a_file_that_is_refused_is_named_and_bytes_have_no_name(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(colour_model()[:-1])
    with pytest.raises(ModelError) as caught:
        open_model(path, "cpu")
    assert str(caught.value).startswith(f"{path}: onnxruntime cannot open this model")
    with pytest.raises(ModelError, match=r"^onnxruntime cannot open"):
        open_model(path.read_bytes(), "cpu")


def test_the_provider_is_the_one_that_runs(model: Model) -> None:
    assert model.provider == "cpu"
    assert model.note == ""
    assert model.session.get_providers() == ["CPUExecutionProvider"]
    assert model.session._enable_fallback is False  # has no public name, and shows only where a GPU fails in a run


@WITHOUT_CUDA
def test_without_cuda_auto_runs_on_the_cpu_and_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    opened = open_model(colour_model(), "auto")
    assert opened.provider == "cpu"
    assert opened.note == cuda_obstacle()
    assert capfd.readouterr() == ("", "")


@WITHOUT_CUDA
def test_cuda_that_cannot_be_had_is_refused_with_the_reason() -> None:
    with pytest.raises(DeviceError) as caught:
        open_model(colour_model(), "cuda")
    assert cuda_obstacle() in str(caught.value)
    assert "--device auto" in str(caught.value)


@WITHOUT_CUDA
def test_a_device_whose_libraries_are_missing_is_passed_over_with_a_word_and_refused_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opens = ort.InferenceSession

    def falls_back(data: bytes, options: object, *, providers: object, enable_fallback: int) -> ort.InferenceSession:
        """As onnxruntime-gpu does when its libraries are missing: without a word."""
        return opens(data, options, providers=["CPUExecutionProvider"], enable_fallback=enable_fallback)

    monkeypatch.setattr("contract.session.cuda_obstacle", lambda: "")  # as where a device can be opened
    monkeypatch.setattr(ort, "InferenceSession", falls_back)
    opened = open_model(colour_model(), "auto")
    assert opened.provider == "cpu"
    assert "install the extra 'cuda'" in opened.note
    with pytest.raises(DeviceError, match="install the extra 'cuda'"):
        open_model(colour_model(), "cuda")
    with pytest.raises(ModelError):
        open_model(b"no model", "cuda")
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(bool(cuda_obstacle()), reason="no CUDA on this machine")
def test_with_cuda_it_really_runs_there() -> None:
    opened = open_model(colour_model(), "cuda")
    assert opened.provider == "cuda"
    assert opened.session.get_providers()[0] == "CUDAExecutionProvider"


def test_opening_leaves_no_thread_of_python_behind() -> None:
    before = threading.active_count()
    open_model(colour_model(), "cpu")
    assert threading.active_count() == before


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
def test_any_geometry_is_served(mode: Any) -> None:
    assert open_model(colour_model(mode=mode, size_px=48), "cpu").contract.geometry == Geometry(mode, 48)
