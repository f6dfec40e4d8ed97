"""What a figure was measured on: it goes with every table."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

from daemon.process.cores import usable_cores


def words() -> str:
    """The processor, its usable cores, the kernel, and the versions that make a difference."""
    versions = ", ".join(
        f"{name} {found}" for name in ("onnxruntime", "pillow", "tensorflow") if (found := _version(name))
    )
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{processor()}, {system}, Python {platform.python_version()}, {versions}"


def processor() -> str:
    """Its name, and how many of its cores this program may use."""
    return f"{usable_cores()} cores of {_name()}"


def today() -> str:
    """The date, as it stands beside a figure."""
    return f"{datetime.datetime.now(tz=datetime.UTC).date():%d %B %Y}"


def busy() -> float:
    """How many programs wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 1)


def _name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str:
    for wheel in (name, f"{name}-gpu"):
        try:
            return metadata.version(wheel)
        except metadata.PackageNotFoundError:
            continue
    return ""
