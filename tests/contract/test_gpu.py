"""What onnxruntime says about a GPU is told apart: memory that ran out, and a device or context that is lost."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from common.errors import DeviceError, GpuError, GpuLostError, GpuMemoryError
from contract.batches import CUDA_BATCHES
from contract.gpu import cuda_obstacle, first_line, gpu_error, preload_cuda
from contract.session import _create, _open_on_cuda, open_model
from tests.colour_model import colour_model

# As onnxruntime 1.31 words them.
FULL = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Available memory of 64 is smaller than requested bytes of 39321600",
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 39321600",
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, n)",
    "[ONNXRuntimeError] : 1 : FAIL : CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cublasCreate(&h);",
)
LOST = (
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=a",
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=a",
    "[ONNXRuntimeError] : 1 : FAIL : CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0 ; hostname=a",
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 46: all CUDA-capable devices are busy or unavailable ; GPU=0",
    "something that nobody has seen yet",
)


@pytest.mark.parametrize("text", FULL)
def test_memory_that_ran_out_leaves_the_gpu_usable(text: str) -> None:
    error = gpu_error(RuntimeError(text))
    assert isinstance(error, GpuMemoryError)
    assert "--gpu-memory" in str(error)


@pytest.mark.parametrize("text", LOST)
def test_anything_else_means_that_the_gpu_is_lost_to_this_process(text: str) -> None:
    error = gpu_error(RuntimeError(text + "\nmore"))
    assert isinstance(error, GpuLostError)
    assert text.removeprefix("[ONNXRuntimeError] : 1 : FAIL : ").partition(" ;")[0] in str(error)
    assert "more" not in str(error)


def test_a_gpu_is_asked_what_words_that_nobody_knows_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUBLAS failure 1: the library was not initialized ; GPU=0")
    for free_mb, kind in ((-1, GpuLostError), (20, GpuMemoryError), (4000, GpuError)):
        monkeypatch.setattr("contract.gpu.free_memory_mb", lambda free_mb=free_mb: free_mb)
        assert type(gpu_error(error)) is kind


def test_words_are_kept_to_what_failed_and_cut_between_two_words() -> None:
    long = "Status Message: void* BFCArena::AllocateRawInternal(size_t, bool, Stream*) " * 9
    assert str(gpu_error(RuntimeError(long + FULL[0]))).startswith(
        "The GPU's memory is short: Available memory of 64 is smaller than requested bytes of 39321600. Free some"
    )
    assert first_line("word " * 100).endswith("word [...]")


def test_a_gpu_without_memory_is_passed_over_with_a_word_and_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise gpu_error(RuntimeError(FULL[0]))

    monkeypatch.setattr("contract.session.cuda_obstacle", lambda: "")
    monkeypatch.setattr("contract.session._cuda_session", full)
    opened = open_model(colour_model(), "auto")
    assert opened.provider == "cpu"
    assert "the GPU's memory is short: Available memory of 64" in opened.note
    with pytest.raises(DeviceError) as caught:
        open_model(colour_model(), "cuda")
    assert str(caught.value).count("--device") == 1


def test_both_are_errors_of_the_device_and_end_a_command_with_a_sentence() -> None:
    assert all(isinstance(gpu_error(RuntimeError(text)), DeviceError) for text in FULL + LOST)


def test_cuda_libraries_are_found_in_any_folder_of_the_python_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in ("cu13", "cudnn"):
        (tmp_path / "nvidia" / folder / "lib").mkdir(parents=True)
    asked: list[tuple[bool, bool, str | None]] = []

    def preload_dlls(*, cuda: bool, cudnn: bool, directory: str | None) -> None:
        asked.append((cuda, cudnn, directory))
        sys.stdout.write("Failed to load libcublas.so.13: no such file\n")

    monkeypatch.setattr(ort, "preload_dlls", preload_dlls)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert preload_cuda() == "Failed to load libcublas.so.13: no such file"
    assert asked == [
        (True, False, str(tmp_path / "nvidia" / "cu13" / "lib")),
        (False, True, str(tmp_path / "nvidia" / "cudnn" / "lib")),
    ]
    assert capfd.readouterr() == ("", "")


def test_without_a_driver_cuda_is_not_even_asked_for() -> None:
    if not Path("/dev/nvidiactl").exists() and not Path("/proc/driver/nvidia/version").exists():
        assert "driver" in cuda_obstacle()


def test_what_keeps_cuda_away_is_named_from_the_driver_to_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cuda_obstacle(tmp_path) == "no NVIDIA driver is loaded"
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    assert cuda_obstacle(tmp_path) == "no NVIDIA device can be opened"
    (tmp_path / "dev" / "nvidia0").touch()
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])  # the package `onnxruntime`
    assert "which the extra 'cuda' brings" in cuda_obstacle(tmp_path)
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert cuda_obstacle(tmp_path) == ""


def test_a_model_on_cuda_runs_in_its_batch_sizes_alone_and_answers_as_on_the_cpu() -> None:
    """The wiring, with sessions of the CPU behind it: what CUDA itself does is seen where there is one."""
    data, shares = colour_model(), list[float]()
    plain = open_model(data, "cpu")

    def reopen(share: float) -> ort.InferenceSession:
        shares.append(share)
        return _create(data, ["CPUExecutionProvider"], 1)

    model = _open_on_cuda(data, reopen)
    assert model.provider == "cuda"
    assert model.golden_difference < 1e-5
    images = np.random.default_rng(0).integers(0, 256, (131, 32, 32, 3), np.uint8)
    assert np.abs(model.run(images) - plain.run(images)).max() < 1e-5
    assert np.abs(model.run(images[:1]) - plain.run(images[:1])).max() < 1e-5
    assert shares == list(CUDA_BATCHES.values())
