"""Check Python and its packages: versions, and packages that silently overwrite each other's files."""

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from common.packages import CPU, CUDA, RUNTIMES, has_runtime, pip, replace_runtime
from daemon.doctor.finding import Finding, fault, ok, warning

Version = Callable[[str], str | None]
"""The version of an installed package, or None."""

PYTHON = ((3, 11), (3, 14))
"""The oldest version that phototriage runs on, and the newest that it was tested with."""
NEEDED = ("click", "numpy", "pillow", "pi-heif", "rich")
_EXTRAS = {CPU: "extra cpu, without CUDA", CUDA: "extra cuda"}
_REQUIREMENT = re.compile(
    r"([A-Za-z0-9._-]+)[^;]*?>=([0-9.]+),<([0-9.]+)|([A-Za-z0-9._-]+)(?:\[[^]]*\])?<([0-9.]+),>=([0-9.]+)"
)


def installed(name: str) -> str | None:
    """Return the version of a package in this environment, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def look_at_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check the version of Python."""
    says = f"Python {sys.version.split()[0]} at {sys.executable}"
    if PYTHON[0] <= version <= PYTHON[1]:
        return ok("python", says)
    least, most = (".".join(map(str, bound)) for bound in PYTHON)
    cure = f"python{most} -m venv /opt/phototriage"
    if version > PYTHON[1]:
        return warning("python", f"{says} is newer than what phototriage was tested with ({least} to {most})", cure)
    return fault("python", f"{says} is not supported; use {least} to {most}", cure)


def look_at_packages(version: Version = installed) -> Iterator[Finding]:
    """Check that the daemon's packages are installed, in supported versions, and without conflicts."""
    runtimes = [name for name in RUNTIMES if version(name)]
    missing = [name for name in NEEDED if version(name) is None]
    odd = [
        f"{name} {version(name)} ({wanted[0]} or newer is needed, below {wanted[1]})"
        for name, wanted in _bounds().items()
        if not _fits(version(name), wanted)
    ]
    if missing:
        yield fault("packages", f"not installed: {', '.join(missing)}", pip("install", *missing))
    if odd:
        lock = "cuda" if CUDA in runtimes else "run"
        yield warning(
            "packages", f"versions that phototriage does not support: {', '.join(odd)}",
            pip("install", "--require-hashes", "-r", f"requirements/{lock}.txt"),
        )  # fmt: skip
    if not missing and not odd:
        own = version("phototriage") or "not installed, run from a clone"
        yield ok("packages", f"phototriage {own}, " + ", ".join(f"{name} {version(name)}" for name in NEEDED))
    yield _runtime(runtimes, version)
    yield from _clashes(version)


def _runtime(found: list[str], version: Version) -> Finding:
    """Check that exactly one package of ONNX Runtime is installed, and that its files are there."""
    cures = f"{replace_runtime(found, CPU)}   or, for an NVIDIA GPU, {replace_runtime(found, CUDA)}"
    if not found and has_runtime():
        says = "neither onnxruntime nor onnxruntime-gpu, but another build, which phototriage was not tested with"
        return warning("onnx runtime", says, cures)
    if not found:
        return fault("onnx runtime", "not installed: one of onnxruntime and onnxruntime-gpu is needed", cures)
    if len(found) > 1:
        says = "onnxruntime and onnxruntime-gpu are both installed, and share files, so one is broken"
        return fault("onnx runtime", says, cures)
    if not has_runtime():
        return fault("onnx runtime", f"files of {found[0]} are missing", replace_runtime(found, found[0]))
    return ok("onnx runtime", f"{found[0]} {version(found[0])} ({_EXTRAS[found[0]]})")


def _clashes(version: Version) -> Iterator[Finding]:
    if version("nvidia-cudnn-cu12") and version("nvidia-cudnn-cu13"):
        yield fault(
            "packages", "nvidia-cudnn-cu12 and nvidia-cudnn-cu13 are both installed, and the last one has overwritten "
            "the other's libcudnn. Training on CUDA 12 and the daemon on CUDA 13 need separate environments",
            f"{pip('uninstall', 'nvidia-cudnn-cu12', 'nvidia-cudnn-cu13')} && {pip('install', 'nvidia-cudnn-cu13')}",
        )  # fmt: skip
    if version("python-daemon"):
        yield fault(
            "packages", "python-daemon is installed too, and its module `daemon` has the name of one of phototriage's: "
            "one has overwritten the other", "python3 -m venv /opt/phototriage and install phototriage there, alone",
        )  # fmt: skip


def _bounds() -> dict[str, tuple[str, str]]:
    """Return the version bounds, by name, that phototriage's metadata sets for installed packages."""
    try:
        lines = metadata.requires("phototriage") or []
    except metadata.PackageNotFoundError:
        return {}
    found = {}
    for line in lines:
        match = _REQUIREMENT.match(line)
        name = (match[1] or match[4]) if match else ""
        if match and ("extra ==" not in line or name in RUNTIMES) and installed(name):
            found[name] = (match[2], match[3]) if match[1] else (match[6], match[5])
    return found


def _fits(version: str | None, bounds: tuple[str, str]) -> bool:
    return version is None or _numbers(bounds[0]) <= _numbers(version) < _numbers(bounds[1])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
