"""Open a model so that what runs is what was promised, where it was said to run.

One read of the bytes gives the hash, the contract and the session. onnxruntime falls back to the CPU without raising,
at the start and in the middle of a run; here a fallback is either refused or said.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from contract.batches import CUDA_BATCHES, Batches
from contract.errors import ContractError, DeviceError, GpuError, ModelError, PhototriageError
from contract.geometry import Pixels
from contract.golden import replay
from contract.gpu import cuda_obstacle, first_line, gpu_error, preload_cuda
from contract.graph import check_graph
from contract.limits import memory_limit, time_limit
from contract.metadata import INPUT_NAME, METADATA_KEY, OUTPUT_NAME, Contract
from contract.text import printable
from contract.values import short

Device = Literal["auto", "cpu", "cuda"]
Provider = Literal["cpu", "cuda"]

MAX_MODEL_BYTES = 1 << 30
GPU_MEMORY_MB = 4096
"""Most that a model may take of the GPU's memory by default, beside the few hundred MB of the CUDA libraries."""
ort.set_default_logger_severity(4)  # as below: what it logs, it also raises
_CUDA_OPTIONS = {
    # HEURISTIC: the default, EXHAUSTIVE, searches anew for each batch size (634 ms against 1.9 ms) and ends no faster.
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",
    # Answers within 5e-6 of the CPU's instead of 1e-2, for a quarter of a speed that no decoder reaches.
    "use_tf32": "0",
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
        batches: on CUDA, the sessions by batch size; `session` is one of them and is not run by itself.
    """

    contract: Contract
    sha256: str
    provider: Provider
    note: str
    golden_difference: float
    session: ort.InferenceSession
    batches: Batches | None = None

    def run(self, images: Pixels) -> NDArray[np.float32]:
        """Classify uint8 [n, size, size, 3]; returns float32 [n, classes], rows that add up to one.

        Raises:
            GpuMemoryError, GpuLostError: on CUDA alone, as `Batches.prepare`.
        """
        return run_session(self.session, images) if self.batches is None else self.batches.run(images)


def open_model(
    source: Path | bytes, device: Device = "auto", *, threads: int = 1, gpu_memory_mb: int = GPU_MEMORY_MB
) -> Model:
    """Open a model file, check every line of its contract and replay its golden sample.

    Args:
        source: path of an .onnx file, which errors then name, or its bytes.
        device: `auto` takes CUDA where a driver, a device and the libraries are; `cuda` refuses anything else.
        threads: of the CPU provider inside one call. One, with several callers, beats one caller with several.
        gpu_memory_mb: most that the model may take of the GPU's memory; 0 for all there is.

    Raises:
        ModelError: no such file, no model, or it does not compute what it did when it was verified.
        ContractError: it breaks its contract, or has none.
        DeviceError: `cuda` was asked for and cannot be had.
    """
    if isinstance(source, bytes):
        return _opened(source, device, threads, gpu_memory_mb)
    data = read_model(source)
    with naming(source):
        return _opened(data, device, threads, gpu_memory_mb)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Let errors about a model's bytes name the file that they were read from."""
    try:
        yield
    except (ModelError, ContractError) as error:
        raise type(error)(f"{printable(file)}: {error}") from error


def _opened(data: bytes, device: Device, threads: int, gpu_memory_mb: int) -> Model:
    obstacle = cuda_obstacle() if device != "cpu" else ""
    if device != "cpu" and not obstacle:
        try:
            return _proven_on_cuda(data, lambda share: _on_cuda(data, threads, gpu_memory_mb, share))
        except DeviceError as error:
            why = error.what if isinstance(error, GpuError) else error
            obstacle = f"the NVIDIA device cannot be used: {why}"
    if device == "cuda":
        raise DeviceError(f"CUDA was asked for, but {obstacle.rstrip('.')}. Mend that, or pass --device auto.")
    with memory_limit(), time_limit() as options:
        return _proven_on_cpu(data, threads, obstacle.rstrip("."), options)


def _proven_on_cpu(data: bytes, threads: int, note: str, options: ort.RunOptions) -> Model:
    session = _create(data, ["CPUExecutionProvider"], threads)
    try:
        contract = _checked(session)
        difference = replay(lambda images: run_session(session, images, options), contract, "cpu")
    except PhototriageError:
        raise
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        raise ModelError(f"The model fails when it runs: {first_line(str(error))}. Convert the run again.") from error
    return Model(contract, hashlib.sha256(data).hexdigest(), "cpu", note, difference, session)


def _proven_on_cuda(data: bytes, reopen: Callable[[float], ort.InferenceSession]) -> Model:
    """Open the smallest batch size and prove it; each other one is proven when it is made ready."""
    size, share = next(iter(CUDA_BATCHES.items()))
    session = reopen(share)
    contract = _checked(session)
    opened = [session]
    batches = Batches(
        lambda share: opened.pop() if opened else reopen(share), lambda run: replay(run, contract, "cuda")
    )
    difference = batches.prepare(size)
    return Model(contract, hashlib.sha256(data).hexdigest(), "cuda", "", difference, session, batches)


def read_model(path: Path) -> bytes:
    """Read a model file, or raise ModelError with what is wrong with it."""
    try:
        status = path.stat()
        if status.st_size > MAX_MODEL_BYTES:
            raise ModelError(
                f"{printable(path)} is larger than {MAX_MODEL_BYTES >> 20} MiB, which no model of ours is."
            )
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):  # which may never end
            raise ModelError(f"The model {printable(path)} is no file. Name an .onnx file.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model {printable(path)} cannot be read: {error.strerror}. Name an .onnx file."
        ) from error


def run_session(
    session: ort.InferenceSession, images: Pixels, options: ort.RunOptions | None = None
) -> NDArray[np.float32]:
    """Run a session that keeps the contract's names on uint8 [n, size, size, 3]; returns float32 [n, classes]."""
    return cast(NDArray[np.float32], session.run([OUTPUT_NAME], {INPUT_NAME: images}, options)[0])


def read_contract(data: bytes) -> Contract:
    """Read the contract of a model's bytes on the CPU, with names and shapes checked and no picture classified."""
    with memory_limit():
        session = _create(data, ["CPUExecutionProvider"], 1)
    return _checked(session)


def _on_cuda(data: bytes, threads: int, gpu_memory_mb: int, share: float) -> ort.InferenceSession:
    """Open a session on CUDA, or raise DeviceError with what onnxruntime says; ModelError if the CPU fails too."""
    missing = preload_cuda()
    options = _CUDA_OPTIONS | (
        {"gpu_mem_limit": str(max(1, int(share * gpu_memory_mb)) << 20)} if gpu_memory_mb else {}
    )
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
    check_graph(data)
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
