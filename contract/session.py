"""Open a model so that what runs is what was promised, where it was said to run.

One read of the bytes gives the hash, the contract and the session. onnxruntime falls back to the CPU without raising,
at the start and in the middle of a run; here a fallback is either refused or said.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.errors import ContractError, DeviceError, ModelError, PhototriageError
from contract.geometry import Pixels
from contract.golden import replay
from contract.gpu import cuda_obstacle, first_line, gpu_error, preload_cuda
from contract.metadata import INPUT_NAME, METADATA_KEY, OUTPUT_NAME, Contract
from contract.values import short

Device = Literal["auto", "cpu", "cuda"]
Provider = Literal["cpu", "cuda"]

MAX_MODEL_BYTES = 1 << 30
GPU_MEMORY_MB = 4096
"""Most that a model may take of the GPU's memory by default, beside the few hundred MB of the CUDA libraries."""
CUDA_BATCHES: Mapping[int, float] = {1: 0.25, 8: 0.25, 64: 0.5}
"""Batch sizes on CUDA, and which share of the memory each may take.

A session keeps cuDNN's plans for the last batch size alone: on an H200 each change of size cost 0.6 s. So each size has
a session of its own, and there are few.
"""
_REPLAYED = 8
_CUDA_OPTIONS = {
    # HEURISTIC: the default, EXHAUSTIVE, searches anew for each batch size (634 ms against 1.9 ms) and ends no faster.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
}


@dataclass(frozen=True, slots=True)
class Model:
    """An opened and proven model.

    Attributes:
        contract: what it promises.
        sha256: of the file's bytes, hexadecimal.
        provider: where it really runs.
        note: why it does not run where one may have hoped; empty when there is nothing to say.
        golden_difference: largest difference from the golden sample, as measured when it was opened.
        session: the onnxruntime session; `run` may be called from several threads at once.
        shaped: on CUDA, the sessions that are ready for their batch size.
        reopen: on CUDA, opens one more session for a batch size.
    """

    contract: Contract
    sha256: str
    provider: Provider
    note: str
    golden_difference: float
    session: ort.InferenceSession
    shaped: dict[int, ort.InferenceSession] = field(default_factory=dict)
    reopen: Callable[[int], ort.InferenceSession] | None = None

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Classify uint8 [n, size, size, 3]; returns float32 [n, classes], rows that add up to one.

        Raises:
            GpuMemoryError: fewer photos at once may fit into the GPU's memory.
            GpuLostError: nothing runs on the GPU in this process any more.
        """
        return run_session(self.shaped.get(len(images), self.session), images)

    def prepare(self, size: int) -> None:
        """Make a batch size of CUDA_BATCHES ready, so that it runs at once from now on; nothing to do on the CPU.

        Raises:
            GpuMemoryError, GpuLostError: as `run`; what it took of the GPU's memory is given back.
        """
        if self.reopen is None or size in self.shaped:
            return
        session = self.reopen(size)
        side = self.contract.geometry.size_px
        run_session(session, np.zeros((size, side, side, 3), np.uint8))
        self.shaped[size] = session

    def drop(self, size: int) -> None:
        """Give back what a batch size holds of the GPU's memory."""
        self.shaped.pop(size, None)


def open_model(
    source: Path | bytes, device: Device = "auto", *, threads: int = 1, gpu_memory_mb: int = GPU_MEMORY_MB
) -> Model:
    """Open a model file, check every line of its contract and replay its golden sample.

    Args:
        source: path of an .onnx file, or its bytes.
        device: `auto` takes CUDA where a driver, a device and the libraries are; `cuda` refuses anything else.
        threads: of the CPU provider inside one call. One, with several callers, beats one caller with several.
        gpu_memory_mb: most that the model may take of the GPU's memory; 0 for all there is.

    Raises:
        ModelError: no such file, no model, or it does not compute what it did when it was verified.
        ContractError: it breaks its contract, or has none.
        DeviceError: `cuda` was asked for and cannot be had.
    """
    data = source if isinstance(source, bytes) else read_model(source)
    obstacle = cuda_obstacle() if device != "cpu" else ""
    if device != "cpu" and not obstacle:
        try:
            return _proven_on_cuda(data, lambda size: _on_cuda(data, threads, gpu_memory_mb, CUDA_BATCHES[size]))
        except DeviceError as error:
            obstacle = f"an NVIDIA device is there, but cannot be used. {error}"
    if device == "cuda":
        raise DeviceError(f"CUDA was asked for, but {obstacle.rstrip('.')}. Mend that, or pass --device auto.")
    session = _create(data, ["CPUExecutionProvider"], threads)
    model = Model(_checked(session), hashlib.sha256(data).hexdigest(), "cpu", obstacle.rstrip("."), 0.0, session)
    return replace(model, golden_difference=_replayed(model))


def _proven_on_cuda(data: bytes, reopen: Callable[[int], ort.InferenceSession]) -> Model:
    session = reopen(_REPLAYED)
    model = Model(
        _checked(session), hashlib.sha256(data).hexdigest(), "cuda", "", 0.0, session, {_REPLAYED: session}, reopen
    )
    return replace(model, golden_difference=_replayed(model))


def _replayed(model: Model) -> float:
    """Replay the golden sample where the model runs; on CUDA in batches of one size, for each size costs time."""

    def run(images: Pixels) -> NDArray[np.float32]:
        if not model.shaped:
            return model.run(images)
        padding = np.zeros((_REPLAYED - len(images), *images.shape[1:]), np.uint8)
        return model.run(np.concatenate([images, padding]))[: len(images)]

    try:
        return replay(run, model.contract, model.provider)
    except PhototriageError:
        raise
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise ModelError(f"The model fails when it runs: {first_line(str(error))}. Convert the run again.") from error


def read_model(path: Path) -> bytes:
    """Read a model file, or raise ModelError with what is wrong with it."""
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{path} is larger than {MAX_MODEL_BYTES >> 20} MiB, which no model of ours is.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model {path} cannot be read: {error.strerror}. Pass an .onnx file to --model."
        ) from error


def run_session(session: ort.InferenceSession, images: Pixels) -> NDArray[np.float32]:
    """Run a session that keeps the contract's names on uint8 [n, size, size, 3]; returns float32 [n, classes].

    Raises:
        GpuMemoryError, GpuLostError: on CUDA, as `Model.run` says. On the CPU, whatever onnxruntime raises.
    """
    try:
        return cast(NDArray[np.float32], session.run([OUTPUT_NAME], {INPUT_NAME: images})[0])
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        if session.get_providers()[0] == "CUDAExecutionProvider":
            raise gpu_error(error) from error
        raise


def read_contract(data: bytes) -> Contract:
    """Read the contract of a model's bytes on the CPU, with names and shapes checked and no picture classified."""
    session = _create(data, ["CPUExecutionProvider"], 1)
    return _checked(session)


def _on_cuda(data: bytes, threads: int, gpu_memory_mb: int, share: float) -> ort.InferenceSession:
    """Open a session on CUDA, or raise DeviceError with what onnxruntime says; ModelError if the CPU fails too."""
    missing = preload_cuda()
    options = _CUDA_OPTIONS | ({"gpu_mem_limit": str(int(share * gpu_memory_mb) << 20)} if gpu_memory_mb else {})
    try:
        session = _create(data, [("CUDAExecutionProvider", options), "CPUExecutionProvider"], threads)
    except ModelError as error:
        _create(data, ["CPUExecutionProvider"], threads)  # a broken model is no fault of the device
        raise (gpu_error(error.__cause__) if isinstance(error.__cause__, Exception) else error) from error
    if session.get_providers()[0] != "CUDAExecutionProvider":
        why = f" ({missing})" if missing else ""
        raise DeviceError(f"onnxruntime's CUDA libraries do not load{why}: install the extra 'cuda' of phototriage.")
    return session


def _create(data: bytes, providers: list[Any], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it logs as an error, it also raises
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A model is one file: weights that it names elsewhere, any file of this machine, are looked for where nothing is.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning threads burn an idle core
    try:
        # enable_fallback=0: a failing provider must raise, not turn into the CPU for good.
        return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise ModelError(
            f"This is no model that onnxruntime opens: {first_line(str(error))}. Convert the run again."
        ) from error


def _contract_of(session: ort.InferenceSession) -> Contract:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError as error:
        raise ContractError("The model's metadata is no UTF-8 text. Convert the run again.") from error
    if text is None:
        raise ContractError("The model carries no phototriage contract. Make one with: phototriage convert RUN.")
    return Contract.from_json(text)


def _checked(session: ort.InferenceSession) -> Contract:
    contract = _contract_of(session)
    _check_signature(session, contract)
    return contract


def _check_signature(session: ort.InferenceSession, contract: Contract) -> None:
    size = contract.geometry.size_px
    inputs = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    outputs = [(item.name, item.type, item.shape[1:]) for item in session.get_outputs()]
    for got, wanted in (
        (inputs, [(INPUT_NAME, "tensor(uint8)", [size, size, 3])]),
        (outputs, [(OUTPUT_NAME, "tensor(float)", [len(contract.labels)])]),
    ):
        if got != wanted:
            raise ContractError(
                f"The model's graph has {short(got)} where its contract says {wanted}. Convert it again."
            )
    if any(isinstance(item.shape[0], int) for item in (*session.get_inputs(), *session.get_outputs())):
        raise ContractError("The model takes one fixed batch size; its first dimension must be free. Convert it again.")
