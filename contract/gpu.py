"""CUDA: whether it is available, where its libraries are, and what its errors mean."""

import ctypes
import importlib.util
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import shorten

import onnxruntime as ort

from common.errors import GpuError, GpuLostError, GpuMemoryError
from common.text import printable

_FULL = (
    "failed to allocate memory",  # onnxruntime's arena: the limit, or what the driver gives
    "is smaller than requested bytes",
    "out of memory",  # the driver: CUDA failure 2
    "alloc_failed",  # cuBLAS and cuDNN
    "resource allocation failed",  # cuBLAS in its own words
)
_LITTLE_MB = 128
"""With less free memory the CUDA libraries cannot allocate their handles and workspaces."""
_LOST = ("cuda failure 700", "cuda failure 719", "execution_failed")
_FAILURE = re.compile(
    r"\b(?:CUDA|CUBLAS|CUDNN|CUDNN_FE|CUFFT) failure -?\d+: [^;]+"
    r"|Available memory of \d+ is smaller than requested bytes of \d+"
    r"|Failed to allocate memory for requested buffer of size \d+"
)
"""The part of an onnxruntime message that says what failed; long template names stand before it."""
_LIBRARIES = (("cuda", "cu[0-9]*/lib"), ("cudnn", "cudnn/lib"))
"""Folders of NVIDIA's wheels for CUDA 13 and cuDNN, below the folder `nvidia` of the Python environment."""


def cuda_obstacle(root: Path = Path("/")) -> str:
    """Why CUDA is not available on this machine; empty if it is. It prints nothing and loads no library.

    Args:
        root: the root folder of the machine.
    """
    if not any((root / trace).exists() for trace in ("proc/driver/nvidia/version", "dev/nvidiactl")):
        return "no NVIDIA driver is loaded"
    if not any(os.access(root / f"dev/nvidia{number}", os.R_OK | os.W_OK) for number in range(16)):
        return "no NVIDIA device can be opened"
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "the installed ONNX Runtime has no CUDA, which the extra 'cuda' brings; `phototriage doctor` says how"
    return ""


def preload_cuda() -> str:
    """Load CUDA and cuDNN from the Python path or the system; returns what is missing, empty if nothing is.

    onnxruntime searches only its own folder and the folders of the system, but NVIDIA's wheels may lie in another
    folder of the Python path. It prints missing libraries; that output is captured, because scripts read standard
    output.
    """
    spec = importlib.util.find_spec("nvidia")
    homes = [Path(home) for home in spec.submodule_search_locations or ()] if spec else []
    with redirect_stdout(io.StringIO()) as printed:
        for kind, pattern in _LIBRARIES:
            found = next((str(folder) for home in homes for folder in sorted(home.glob(pattern))), None)
            ort.preload_dlls(cuda=kind == "cuda", cudnn=kind == "cudnn", directory=found)
    return first_line(printed.getvalue())


def gpu_error(error: Exception) -> GpuError:
    """Translate an exception of a run on CUDA.

    After an out-of-memory error the GPU stays usable. cuBLAS and cuDNN name this error in many ways, so the free memory
    is queried as well. Errors such as 700 (illegal address) and 719 (launch failure) last until the process ends, and
    so does a lost device, which does not respond any more.
    """
    text = str(error)
    found = _FAILURE.search(text)
    words = first_line(found[0].strip() if found else text)
    if any(sign in text.lower() for sign in _FULL):
        return GpuMemoryError(words)
    free_mb = free_memory_mb()
    if free_mb < 0 or any(sign in text.lower() for sign in _LOST):
        return GpuLostError(words)
    return GpuMemoryError(words) if free_mb < _LITTLE_MB else GpuError(words)


def free_memory_mb() -> int:
    """Return the free memory of the GPU in MB; -1 if it does not respond, as after a lasting error."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    try:
        runtime = ctypes.CDLL("libcudart.so.13")  # loaded by onnxruntime already, and on this thread's device
        failed = runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
    except OSError:
        return -1
    return -1 if failed else free.value >> 20


def first_line(text: str) -> str:
    """Return the first line of a library's message, made printable because it may quote names of an untrusted model."""
    return printable(shorten((text.splitlines() or [""])[0], 300)).rstrip(".")
