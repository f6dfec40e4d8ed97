"""Packages that only an extra brings: ONNX Runtime, and what learning and training need. Says what is missing,
and how to get it.

`onnxruntime` (for the CPU) and `onnxruntime-gpu` (with CUDA) own the same folder, and break each other where both are
installed. So the base asks for neither: the extra `cpu` or `cuda` does. Nothing here imports them.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from common.errors import PhototriageError

CPU, CUDA = "onnxruntime", "onnxruntime-gpu"
RUNTIMES = {CPU: "onnxruntime>=1.31,<2", CUDA: "onnxruntime-gpu[cuda,cudnn]>=1.31,<2"}
"""The two packages of ONNX Runtime, and what the extras `cpu` and `cuda` ask for."""
LEARNING = {
    "onnx": "onnx>=1.23,<1.24",
    "sklearn": "scikit-learn>=1.9,<2",
    "scipy": "scipy>=1.17,<2",
    "threadpoolctl": "threadpoolctl>=3.6,<4",
}
"""Import names that the extra `learn` brings, and what it asks for; the extra `train` brings them too."""
BULK = {
    "pyarrow": "pyarrow>=26,<27",
    "fsspec": "fsspec>=2026.9",
    "s3fs": "s3fs>=2026.9",
    "ray": "ray[data]>=2.60,<3",
}
"""Import names that the extra `bulk` brings, and what it asks for; a command needs some of them."""
TRAINING_MODULES = frozenset({"tensorflow", "keras", "tf2onnx", "cleanlab", *LEARNING})
"""Import names that only an extra brings, and `train` all of them."""
NEWEST_WITH_TENSORFLOW = (3, 13)
"""The newest Python that TensorFlow 2.21 has a wheel for."""


class MissingPackageError(PhototriageError):
    """A package of an extra is not installed, or it is damaged."""


def installed_runtimes(path: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the installed packages of ONNX Runtime: one, or both by mistake, or none of these two.

    It looks for their records in the folders of the Python path, because importlib.metadata takes 20 ms to import.
    """
    for folder in map(Path, sys.path if path is None else path):
        found = [name for name in RUNTIMES if any(folder.glob(f"{name.replace('-', '_')}-[0-9]*.dist-info"))]
        if found:
            return tuple(found)
    return ()


def installed_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of Python and of these packages, without those that are not installed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # such as phototriage itself in a clone
    return found


def has_runtime() -> bool:
    """Return whether ONNX Runtime can be imported, from these packages or from another build of it."""
    module = find_spec("onnxruntime")
    return module is not None and module.has_location


def pip(action: str, *words: str) -> str:
    """Return a command line that installs into this environment or uninstalls; `uv tool` makes some without pip."""
    python, quoted = shlex.quote(sys.executable), " ".join(map(shlex.quote, words))
    if find_spec("pip") is None:
        return f"uv pip {action} --python {python} {quoted}"
    return f"{python} -m pip {action} {'--yes ' if action == 'uninstall' else ''}{quoted}"


def replace_runtime(found: Sequence[str], name: str) -> str:
    """Return the command line after which the package `name` is the only one; `found` are those installed now."""
    install = pip("install", RUNTIMES[name])
    return f"{pip('uninstall', *found)} && {install}" if found else install


def two_runtimes(found: Sequence[str]) -> str:
    """Return what is wrong if both packages are installed, and the commands that fix it; else an empty string."""
    if len(found) < len(RUNTIMES):
        return ""
    return f"{CPU} and {CUDA} are both installed and share files, so one has damaged the other. {_choice(found)}"


def runtime_error(user: str, found: Sequence[str]) -> MissingPackageError:
    """Return the error that ONNX Runtime cannot be loaded.

    Args:
        user: what needs it, such as a command.
        found: the names of the installed packages.
    """
    if not found:
        return MissingPackageError(f"{user} needs ONNX Runtime, which is not installed. {_choice(found)}")
    damaged = two_runtimes(found) or (
        f"{found[0]} is installed, but files of it are missing or damaged, as after the removal of a package that "
        f"shares them. {_choice(found)}"
    )
    return MissingPackageError(f"{user} cannot load ONNX Runtime: {damaged}")


def require_runtime(user: str) -> None:
    """Raise MissingPackageError if ONNX Runtime cannot be imported."""
    if not has_runtime():
        raise runtime_error(user, installed_runtimes())


def require_learning(user: str) -> None:
    """Raise MissingPackageError if a package of the extra `learn` is not installed, before photos are read."""
    _require(user, LEARNING)


def require_bulk(user: str, *modules: str) -> None:
    """Raise MissingPackageError if one of these modules of the extra `bulk` is not installed."""
    _require(user, {module: BULK[module] for module in modules})


def _require(user: str, wanted: Mapping[str, str]) -> None:
    missing = [asked for module, asked in wanted.items() if find_spec(module) is None]
    if missing:
        names = ", ".join(re.split(r"[\[<>=]", asked)[0] for asked in missing)
        raise MissingPackageError(
            f"{user} needs {names}, and the daemon does not, so they are an extra. Install: {pip('install', *missing)}"
        )


def keras_backend() -> str:
    """The backend that Keras will use: that of KERAS_BACKEND, else that of its keras.json, else TensorFlow."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    named = os.environ.get("KERAS_BACKEND")
    if not named:
        with suppress(OSError, ValueError, AttributeError):  # no such file, or one that Keras does not read either
            named = json.loads(Path(home, "keras.json").read_text(encoding="utf-8")).get("backend")
    return str(named or "tensorflow")


def require_training(user: str) -> None:
    """Raise MissingPackageError if Keras or its backend is not installed, before photos are decoded."""
    chosen = keras_backend()
    for module in ("keras", *(["tensorflow"] if chosen == "tensorflow" else [])):
        if find_spec(module) is None:
            raise MissingPackageError(missing_training(user, module, sys.version_info[:2]))
    if find_spec(chosen) is None:
        raise MissingPackageError(
            f"{user} needs {chosen}, because KERAS_BACKEND or keras.json names it, and it is not installed. Install"
            " it, or set KERAS_BACKEND=tensorflow"
        )


def missing_package(user: str, error: ImportError | AttributeError) -> str:
    """Return a sentence about a package of an extra that is missing or damaged; empty if the error is another one."""
    # A folder that an uninstallation left behind imports as an empty module, whose attributes are then missing.
    module = getattr(error.obj, "__name__", None) if isinstance(error, AttributeError) else error.name
    name = str(module or "").partition(".")[0]
    if name == "onnxruntime":
        return str(runtime_error(user, installed_runtimes()))
    if name in TRAINING_MODULES and isinstance(error, ModuleNotFoundError):
        return missing_training(user, name, sys.version_info[:2])
    return ""


def missing_training(user: str, module: str, python: tuple[int, int]) -> str:
    """Return a sentence about a module that only training needs: what is missing, why, and the cure.

    Args:
        user: what needs it, such as a command.
        module: its import name.
        python: the version of Python that runs.
    """
    needs = f"{user} needs {module}, which is not installed"
    if python > NEWEST_WITH_TENSORFLOW and module in ("tensorflow", "keras", "tf2onnx"):
        return (
            f"{needs}, and TensorFlow has no wheel for Python {python[0]}.{python[1]}. Train with Python 3.11, 3.12 or "
            '3.13: in a clone `make training PYTHON=/path/to/python3.13`, elsewhere install ".[cpu,train]" there'
        )
    return (
        f"{needs}. The daemon runs without {module}, so it is an extra. In a clone, run `make training`, which makes "
        'an environment with it; elsewhere install the extra `train`: pip install ".[cpu,train]"'
    )


def _choice(found: Sequence[str]) -> str:
    return (
        f"Install exactly one: without an NVIDIA GPU the extra `cpu` ({replace_runtime(found, CPU)}), with one (driver "
        f"580 or newer) the extra `cuda` ({replace_runtime(found, CUDA)})"
    )
