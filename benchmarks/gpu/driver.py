"""The CUDA driver by ctypes, from outside the product: memory taken away, and a context poisoned in a running daemon.

python driver.py hog LEAVE_MB      takes all but so much of the GPU's memory until its standard input closes
"""

import ctypes
import os
import sys
import threading
import time
from pathlib import Path

KERNEL = b"""
.version 7.0
.target sm_75
.address_size 64
.visible .entry poison()
{
    .reg .u64 %address;
    .reg .u32 %value;
    mov.u64 %address, 16;
    mov.u32 %value, 1;
    st.global.u32 [%address], %value;
    ret;
}
\0"""
"""Writes to an address that belongs to nobody: CUDA error 700, for the rest of the process."""


class DriverError(Exception):
    """A call of the driver failed; the text names it and the error's number."""


def _driver() -> ctypes.CDLL:
    """The driver with the first GPU's primary context, which onnxruntime uses too, current on this thread."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context = ctypes.c_int(), ctypes.c_void_p()
    call(cuda, "cuInit", 0)
    call(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    call(cuda, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call(cuda, "cuCtxSetCurrent", context)
    return cuda


def call(cuda: ctypes.CDLL, name: str, *arguments: object) -> None:
    code = getattr(cuda, name)(*arguments)
    if code:
        raise DriverError(f"{name} gave {code}")


def poison() -> str:
    """Let a kernel write where it may not; returns what the driver says afterwards."""
    try:
        cuda = _driver()
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        call(cuda, "cuModuleLoadData", ctypes.byref(module), KERNEL)
        call(cuda, "cuModuleGetFunction", ctypes.byref(function), module, b"poison")
        call(cuda, "cuLaunchKernel", function, 1, 1, 1, 1, 1, 1, 0, None, None, None)
        return f"cuCtxSynchronize gave {cuda.cuCtxSynchronize()}"
    except (DriverError, OSError) as error:
        return str(error)


def arm(folder: Path) -> None:
    """In a thread of its own, poison this process once FOLDER/poison appears; `once` in it is for one process alone."""

    def wait() -> None:
        flag = folder / "poison"
        while not (flag.exists() and _on_cuda()):
            time.sleep(0.01)
        mode = flag.read_text()
        if mode == "once":
            flag.unlink()
        else:
            time.sleep(1.0)
        with (folder / "poisoned").open("a") as log:
            log.write(f"{os.getpid()}: {poison()}\n")

    threading.Thread(target=wait, daemon=True).start()


def _on_cuda() -> bool:
    """Whether this process has the CUDA provider loaded; the test of the mere mechanism asks for less."""
    wanted = os.environ.get("BENCH_LIBRARY", "libonnxruntime_providers_cuda")
    return wanted in Path("/proc/self/maps").read_text()


def hog(leave_mb: int) -> None:
    """Take all but so much of the memory, say how it went, and hold it until the standard input closes."""
    cuda = _driver()
    free, total, place = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_uint64()
    call(cuda, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    take = free.value - (leave_mb << 20)
    call(cuda, "cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(take))
    call(cuda, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    print(f"{free.value >> 20}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    hog(int(sys.argv[2]))
