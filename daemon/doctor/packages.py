"""Check Python and its packages: versions, and packages that silently overwrite each other's files."""

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from daemon.doctor.finding import Finding, fault, ok, warning

Version = Callable[[str], str | None]
"""The version of an installed package, or None."""

PYTHON = ((3, 11), (3, 13))
"""The oldest and the newest version that onnxruntime-gpu and the tests support."""
NEEDED = ("click", "numpy", "pillow", "rich")
_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")
PIP = f"{sys.executable} -m pip"
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*?>=([0-9.]+),<([0-9.]+)|([A-Za-z0-9._-]+)<([0-9.]+),>=([0-9.]+)")


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
    return fault("python", f"{says} is not supported; use {least} to {most}", f"python{most} -m venv /opt/phototriage")


def look_at_packages(version: Version = installed) -> Iterator[Finding]:
    """Check that the daemon's packages are installed, in supported versions, and without conflicts."""
    runtimes = [name for name in _RUNTIMES if version(name)]
    needed = [*NEEDED, *(runtimes or _RUNTIMES[-1:])]
    missing = [name for name in needed if version(name) is None]
    odd = [
        f"{name} {version(name)} ({wanted})" for name, wanted in _bounds().items() if not _fits(version(name), wanted)
    ]
    if missing:
        yield fault("packages", f"not installed: {', '.join(missing)}", f"{PIP} install {' '.join(missing)}")
    if odd:
        yield warning(
            "packages", f"versions that phototriage does not support: {', '.join(odd)}",
            f"{PIP} install --require-hashes -r requirements/run.txt",
        )  # fmt: skip
    if not missing and not odd:
        own = version("phototriage") or "not installed, run from a clone"
        yield ok("packages", f"phototriage {own}, " + ", ".join(f"{name} {version(name)}" for name in needed))
    yield from _clashes(version)
    yield _heic(version("pillow-heif"))


def _clashes(version: Version) -> Iterator[Finding]:
    if all(map(version, _RUNTIMES)):
        yield fault(
            "packages", "onnxruntime and onnxruntime-gpu are both installed, and share files, so one is broken",
            f"{PIP} uninstall -y onnxruntime onnxruntime-gpu && {PIP} install 'onnxruntime-gpu>=1.31,<2'",
        )  # fmt: skip
    if version("nvidia-cudnn-cu12") and version("nvidia-cudnn-cu13"):
        yield fault(
            "packages", "nvidia-cudnn-cu12 and nvidia-cudnn-cu13 are both installed, and the last one has overwritten "
            "the other's libcudnn. Training on CUDA 12 and the daemon on CUDA 13 need separate environments",
            f"{PIP} uninstall -y nvidia-cudnn-cu12 nvidia-cudnn-cu13 && {PIP} install nvidia-cudnn-cu13",
        )  # fmt: skip
    if version("python-daemon"):
        yield fault(
            "packages", "python-daemon is installed too, and its module `daemon` has the name of one of phototriage's: "
            "one has overwritten the other", "python3 -m venv /opt/phototriage and install phototriage there, alone",
        )  # fmt: skip


def _heic(version: str | None) -> Finding:
    if version:
        return ok("heic", f"HEIC photos, as from iPhones, can be read (pillow-heif {version})")
    return warning(
        "heic", "HEIC photos, as from iPhones, cannot be read here and stay in the inbox",
        f"{PIP} install 'pillow-heif>=1.1,<2'",
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
        if match and "extra ==" not in line and installed(match[1] or match[4]):
            found[match[1] or match[4]] = (match[2], match[3]) if match[1] else (match[6], match[5])
    return found


def _fits(version: str | None, bounds: tuple[str, str]) -> bool:
    return version is None or _numbers(bounds[0]) <= _numbers(version) < _numbers(bounds[1])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
