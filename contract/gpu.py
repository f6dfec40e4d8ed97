"""CUDA from outside: whether it can be asked for, where its libraries lie, and what its errors mean for the photos."""

import ctypes
import importlib.util
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import shorten

import onnxruntime as ort

from contract.errors import GpuError, GpuLostError, GpuMemoryError
from contract.text import printable

_FULL = (
    "failed to allocate memory",  # onnxruntime's arena: the limit, or what the driver gives
    "is smaller than requested bytes",
    "out of memory",  # the driver: CUDA failure 2
    "alloc_failed",  # cuBLAS and cuDNN
    "resource allocation failed",  # cuBLAS in its own words
)
_LITTLE_MB = 128
"""Less than this free is too little for the libraries' own handles and workspaces."""
_LOST = ("cuda failure 700", "cuda failure 719", "execution_failed")
_FAILURE = re.compile(
    r"\b(?:CUDA|CUBLAS|CUDNN|CUDNN_FE|CUFFT) failure -?\d+: [^;]+"
    r"|Available memory of \d+ is smaller than requested bytes of \d+"
    r"|Failed to allocate memory for requested buffer of size \d+"
)
"""The part of onnxruntime's words that says what failed, behind names of templates that fill the line."""
_LIBRARIES = (("cuda", "cu[0-9]*/lib"), ("cudnn", "cudnn/lib"))
"""NVIDIA's wheels for CUDA 13 and cuDNN, below the folder `nvidia` of the Python environment."""


def cuda_obstacle() -> str:
    """Say why CUDA cannot be asked for on this machine; empty when it can. Prints nothing and loads no library."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this onnxruntime was built without CUDA"
    if not any(Path(trace).exists() for trace in ("/proc/driver/nvidia/version", "/dev/nvidiactl")):
        return "no NVIDIA driver is loaded"
    if not any(os.access(f"/dev/nvidia{number}", os.R_OK | os.W_OK) for number in range(16)):
        return "no NVIDIA device can be opened"
    return ""


def preload_cuda() -> str:
    """Load CUDA and cuDNN from wherever this Python finds them, and say what is missing; empty when all is there.

    onnxruntime looks only beside itself and in the system's folders; NVIDIA's wheels may lie in another folder of the
    Python path. What it prints about a missing library would stand between the lines meant for scripts.
    """
    spec = importlib.util.find_spec("nvidia")
    homes = [Path(home) for home in spec.submodule_search_locations or ()] if spec else []
    with redirect_stdout(io.StringIO()) as printed:
        for kind, pattern in _LIBRARIES:
            found = next((str(folder) for home in homes for folder in sorted(home.glob(pattern))), None)
            ort.preload_dlls(cuda=kind == "cuda", cudnn=kind == "cudnn", directory=found)
    return first_line(printed.getvalue())


def gpu_error(error: Exception) -> GpuError:
    """Return what an exception out of a run on CUDA means.

    Memory that ran out leaves the GPU usable; cuBLAS and cuDNN have many words for it, so that the GPU is asked. Errors
    such as 700 (illegal address) and 719 (launch failure) stay for good in this process, and so does a device that is
    gone: it does not answer any more.
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
    """Return how much of the GPU's memory nobody has, in MB; -1 if it does not answer, as after a fault that stays."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    try:
        runtime = ctypes.CDLL("libcudart.so.13")  # loaded by onnxruntime already, and on this thread's device
        failed = runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
    except OSError:
        return -1
    return -1 if failed else free.value >> 20


def first_line(text: str) -> str:
    """Return the first line of a library's own words, printable; names out of a stranger's model may stand in it."""
    return printable(shorten((text.splitlines() or [""])[0], 300)).rstrip(".")
