"""Open a model, check its contract, and replay its golden sample on the device that runs it.

The bytes are read once for the hash, the contract and the session. onnxruntime silently falls back to the CPU, when it
opens a model and during a run; here a fallback is refused or reported.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from common.errors import ContractError, DeviceError, GpuError, ModelError, PhototriageError
from common.text import printable
from contract.answers import Answers, ask
from contract.batches import CUDA_BATCHES, Batches
from contract.geometry import Pixels
from contract.golden import replay
from contract.gpu import cuda_obstacle, first_line, gpu_error, preload_cuda
from contract.graph import check_graph
from contract.limits import memory_limit, time_limit
from contract.metadata import Contract
from contract.signature import checked_contract

Device = Literal["auto", "cpu", "cuda"]
Provider = Literal["cpu", "cuda"]

MAX_MODEL_BYTES = 1 << 30
GPU_MEMORY_MB = 4096
"""Most GPU memory of a model by default, in addition to the few hundred MB of the CUDA libraries."""
ort.set_default_logger_severity(4)  # as below: onnxruntime also raises what it logs
_CUDA_OPTIONS = {
    # The default, EXHAUSTIVE, searches again for each batch size (634 ms against 1.9 ms), and its result is not faster.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
    # Without TF32 probabilities are within 5e-6 of the CPU instead of 1e-2. It costs a quarter of the speed, but
    # decoding is slower anyway.
    "use_tf32": "0",
}


@dataclass(frozen=True, slots=True)
class Model:
    """An opened and verified model.

    Attributes:
        contract: contract of the model.
        sha256: SHA-256 of the bytes of the file, hexadecimal.
        provider: device that runs the model.
        note: why the model does not run on CUDA although it may have been expected; else empty.
        golden_difference: largest difference from the golden sample, measured when the model was opened.
        session: the onnxruntime session; `run` may be called from several threads at once.
        batches: on CUDA, the sessions by batch size; `session` is one of them and must not be run directly.
    """

    contract: Contract
    sha256: str
    provider: Provider
    note: str
    golden_difference: float
    session: ort.InferenceSession
    batches: Batches | None = None

    def answer(self, images: Pixels) -> Answers:
        """Answer uint8 [n, size, size, 3].

        Raises:
            GpuMemoryError, GpuLostError: on CUDA only, as in `Batches.prepare`.
        """
        if self.batches is not None:
            return self.batches.answer(images)
        return ask(self.session, images, familiar=self.contract.familiarity is not None)

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """The probabilities of `answer` alone, float32 [n, classes]."""
        return self.answer(images).probabilities


def open_model(
    source: Path | bytes, device: Device = "auto", *, threads: int = 1, gpu_memory_mb: int = GPU_MEMORY_MB
) -> Model:
    """Open a model file, check every line of its contract and replay its golden sample.

    Args:
        source: path of an .onnx file, which errors then name, or its bytes.
        device: `auto` uses CUDA if driver, device and libraries are present; `cuda` allows no other device.
        threads: threads of the CPU provider in one call. Several callers with one thread each are faster than one
            caller with several threads.
        gpu_memory_mb: most GPU memory of the model; 0 for no limit.

    Raises:
        ModelError: the file does not exist, is no model, or does not compute what was verified.
        ContractError: the model breaks its contract, or has none.
        DeviceError: `cuda` was requested and is not available.
    """
    if isinstance(source, bytes):
        return _opened(source, device, threads, gpu_memory_mb)
    data = read_model(source)
    with naming(source):
        return _opened(data, device, threads, gpu_memory_mb)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Add the name of the file to errors about the bytes of a model."""
    try:
        yield
    except (ModelError, ContractError) as error:
        raise type(error)(f"{printable(file)}: {error}") from error


def _opened(data: bytes, device: Device, threads: int, gpu_memory_mb: int) -> Model:
    obstacle = cuda_obstacle() if device != "cpu" else ""
    if device != "cpu" and not obstacle:
        try:
            return _open_on_cuda(data, lambda share: _cuda_session(data, threads, gpu_memory_mb, share))
        except DeviceError as error:
            why = error.what if isinstance(error, GpuError) else error
            obstacle = f"the NVIDIA device cannot be used: {why}"
    if device == "cuda":
        raise DeviceError(f"CUDA was requested, but {obstacle.rstrip('.')}. Fix that, or pass --device auto.")
    with memory_limit(), time_limit() as options:
        return _open_on_cpu(data, threads, obstacle.rstrip("."), options)


def _open_on_cpu(data: bytes, threads: int, note: str, options: ort.RunOptions) -> Model:
    session = _create(data, ["CPUExecutionProvider"], threads)
    try:
        contract = checked_contract(session)
        familiar = contract.familiarity is not None
        difference = replay(lambda images: ask(session, images, familiar=familiar, options=options), contract, "cpu")
    except PhototriageError:
        raise
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise ModelError(f"The model fails when it runs: {first_line(str(error))}. Convert the run again.") from error
    return Model(contract, hashlib.sha256(data).hexdigest(), "cpu", note, difference, session)


def _open_on_cuda(data: bytes, reopen: Callable[[float], ort.InferenceSession]) -> Model:
    """Open and verify the smallest batch size; the others are verified when they are opened."""
    size, share = next(iter(CUDA_BATCHES.items()))
    session = reopen(share)
    contract = checked_contract(session)
    opened = [session]
    batches = Batches(
        lambda share: opened.pop() if opened else reopen(share),
        lambda answer: replay(answer, contract, "cuda"),
        familiar=contract.familiarity is not None,
    )
    difference = batches.prepare(size)
    return Model(contract, hashlib.sha256(data).hexdigest(), "cuda", "", difference, session, batches)


def read_model(path: Path) -> bytes:
    """Read a model file, or raise ModelError with what is wrong with it."""
    try:
        status = path.stat()
        if status.st_size > MAX_MODEL_BYTES:
            raise ModelError(
                f"{printable(path)} is larger than {MAX_MODEL_BYTES >> 20} MiB, the limit. Train a smaller network."
            )
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):  # which may never end
            raise ModelError(f"The model {printable(path)} is not a file. Pass an .onnx file.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model {printable(path)} cannot be read: {error.strerror}. Pass an .onnx file."
        ) from error


def read_contract(data: bytes) -> Contract:
    """Read the contract of a model on the CPU, and check names and shapes; no picture is classified."""
    with memory_limit():
        session = _create(data, ["CPUExecutionProvider"], 1)
    return checked_contract(session)


def _cuda_session(data: bytes, threads: int, gpu_memory_mb: int, share: float) -> ort.InferenceSession:
    """Open a session on CUDA, or raise DeviceError with the message of onnxruntime; ModelError if the CPU fails too."""
    missing = preload_cuda()
    options = _CUDA_OPTIONS | (
        {"gpu_mem_limit": str(max(1, int(share * gpu_memory_mb)) << 20)} if gpu_memory_mb else {}
    )
    try:
        session = _create(data, [("CUDAExecutionProvider", options), "CPUExecutionProvider"], threads)
    except ModelError as error:
        _create(data, ["CPUExecutionProvider"], threads)  # if the CPU fails too, the model is broken and not the device
        raise (gpu_error(error.__cause__) if isinstance(error.__cause__, Exception) else error) from error
    if session.get_providers()[0] != "CUDAExecutionProvider":
        why = f" ({missing})" if missing else ""
        raise DeviceError(f"onnxruntime's CUDA libraries do not load{why}: install the extra 'cuda' of phototriage.")
    return session


def _create(data: bytes, providers: list[Any], threads: int) -> ort.InferenceSession:
    check_graph(data)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # onnxruntime also raises what it logs as an error
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A model is one file. External weights could name any file of this machine, so this path holds nothing.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning threads burn an idle core
    try:
        # enable_fallback=0: a failing provider must raise, not turn into the CPU for good.
        return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise ModelError(
            f"onnxruntime cannot open this model: {first_line(str(error))}. Convert the run again."
        ) from error
