"""Check for the GPU: driver, kernel module, devices, libraries, free memory. CUDA itself is not loaded here."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from common.packages import CUDA, installed_runtimes, replace_runtime
from daemon.doctor.finding import Finding, fault, ok, warning

DRIVER_MIN = 580
"""The oldest driver that CUDA 13 supports."""
LIBRARIES = (
    *("cu13/lib/libcublasLt.so.13", "cu13/lib/libcublas.so.13", "cu13/lib/libnvrtc.so.13", "cu13/lib/libcurand.so.10"),
    *("cu13/lib/libcufft.so.12", "cu13/lib/libcudart.so.13", "cudnn/lib/libcudnn.so.9"),
)
"""Libraries that onnxruntime-gpu 1.31 loads (`preload_dlls`), below the environment's folder `nvidia`."""
LITTLE_MEMORY_MB = 1024
_NVIDIA_SMI_S = 5.0


def look_at_gpu(device: str, root: Path = Path("/"), runtimes: Sequence[str] | None = None) -> Iterator[Finding]:
    """Check everything that CUDA needs.

    Args:
        device: `auto`, `cpu` or `cuda`; only with `cuda` is a missing GPU a fault.
        root: the root folder of the machine.
        runtimes: the installed packages of ONNX Runtime; None for those of this environment.
    """
    runtimes = installed_runtimes() if runtimes is None else runtimes
    if device == "cpu":
        yield ok("gpu", "not used, because device = cpu")
        return
    driver = root / "proc/driver/nvidia/version"
    if not driver.exists():
        yield _none(root, device)
        return
    yield _driver(driver.read_text(encoding="utf-8", errors="replace"))
    yield from _devices(root)
    yield _libraries(_nvidia_folder(), runtimes)
    memory = _memory()
    if memory:
        yield memory


def _none(root: Path, device: str) -> Finding:
    seen = any(
        path.read_text(encoding="ascii", errors="replace").strip() == "0x10de"
        for path in root.glob("sys/bus/pci/devices/*/vendor")
    )
    if device == "cuda":
        return fault("gpu", "device = cuda, but no NVIDIA driver is loaded", "sudo apt install nvidia-driver")
    if seen:
        return warning(
            "gpu", "this machine has an NVIDIA card, but its driver is not loaded, so the daemon uses the CPU",
            f"install your distribution's driver, {DRIVER_MIN} or newer, then: sudo modprobe nvidia",
        )  # fmt: skip
    return ok("gpu", "no NVIDIA card, so the daemon uses the CPU")


def _driver(text: str) -> Finding:
    match = re.search(r"\b(\d{3,4})\.\d+(?:\.\d+)?\b", text)
    version = int(match[1]) if match else 0
    if version >= DRIVER_MIN:
        return ok("driver", f"NVIDIA driver {match[0] if match else version}")
    return fault(
        "driver", f"NVIDIA driver {match[0] if match else 'of unknown version'}; CUDA 13 needs {DRIVER_MIN} or newer",
        f"install your distribution's driver, {DRIVER_MIN} or newer, and restart the machine",
    )  # fmt: skip


def _devices(root: Path) -> Iterator[Finding]:
    cards = [path for path in sorted(root.glob("dev/nvidia[0-9]*")) if path.name[6:].isdigit()]
    if not cards:
        yield fault("devices", "the driver is loaded, but /dev/nvidia0 is missing", "sudo nvidia-modprobe -c0")
    shut = [f"/dev/{path.name}" for path in cards if not os.access(path, os.R_OK | os.W_OK)]
    if shut:
        yield fault("devices", f"{', '.join(shut)} cannot be opened by this user", "sudo chmod a+rw /dev/nvidia*")
    elif cards:
        yield ok("devices", f"{', '.join(f'/dev/{path.name}' for path in cards)} can be opened")
    if (root / "dev/nvidia-uvm").exists():
        yield ok("nvidia-uvm", "the module is loaded")
    else:
        yield fault("nvidia-uvm", "the module is not loaded, so CUDA finds no device", "sudo nvidia-modprobe -u -c0")


def _nvidia_folder() -> Path | None:
    spec = find_spec("nvidia")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _libraries(folder: Path | None, runtimes: Sequence[str]) -> Finding:
    if CUDA not in runtimes:
        what = f"{runtimes[0]} is installed, which has no CUDA" if runtimes else "no ONNX Runtime is installed"
        return fault("cuda", f"{what}, so the GPU is not used", replace_runtime(runtimes, CUDA))
    missing = [Path(name).name for name in LIBRARIES if folder is None or not (folder / name).exists()]
    if not missing:
        return ok("cuda", f"CUDA 13 and cuDNN 9 are in {folder}")
    elsewhere = [name for name in missing if not _on_the_system(name)]
    if not elsewhere:
        return ok("cuda", "CUDA 13 and cuDNN 9 are among the system's libraries")
    return fault(
        "cuda", f"libraries not found, so the daemon uses the CPU: {', '.join(elsewhere)}",
        replace_runtime((), CUDA),
    )  # fmt: skip


def _on_the_system(name: str) -> bool:
    folders = (*os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/usr/lib/x86_64-linux-gnu", "/usr/local/cuda/lib64")
    return any(folder and Path(folder, name).exists() for folder in folders)


def _memory() -> Finding | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    ask = [tool, "--query-gpu=name,memory.free,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=_NVIDIA_SMI_S)
    except (OSError, subprocess.TimeoutExpired):
        return fault("gpu memory", "nvidia-smi does not answer: the driver hangs", "restart the machine")
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines()]
    cards = [row for row in rows if len(row) == 3 and row[1].isdigit()]
    if not cards:
        return None
    says = "; ".join(f"{name}: {free} of {total} MiB free" for name, free, total in cards)
    if max(int(free) for _, free, _ in cards) < LITTLE_MEMORY_MB:
        return warning("gpu memory", f"{says}, which is little", "nvidia-smi   (lists the programs that use it)")
    return ok("gpu memory", says)
