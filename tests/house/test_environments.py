"""How `make` finds a Python and makes an environment: shims that fail, nothing there, interrupted, changed."""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = ("bash", "cat", "cksum", "dirname", "head", "rm", "sort", "touch", "uname")
BROKEN_SHIM = "echo 'pyenv: command not found' >&2; exit 127"
TOO_OLD = "exit 1"

Result = subprocess.CompletedProcess[str]
Build = Callable[..., Result]


def python(minor: int, *, complete: bool = True) -> str:
    """Body of a stand-in for a Python: answers what it is, and on `-m venv` says that it was chosen."""
    answer = f'[ "$1" != -c ] || {{ echo {minor} {int(complete)} "$0"; exit 0; }}'
    return f"{answer}\n[ \"$1\" != -m ] || {{ echo 'chosen: 3.{minor}'; exit 3; }}"


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path: Path, root: Path) -> Path:
    """A repository in a path with a space that holds the script, and lock files as a test adds them."""
    folder = tmp_path / "a clone" / "requirements"
    folder.mkdir(parents=True)
    shutil.copy(root / "requirements" / "venv.sh", folder)
    (folder.parent / "pyproject.toml").write_text("", encoding="utf-8")
    return folder.parent


@pytest.fixture
def build(clone: Path, tmp_path: Path) -> Build:
    """Run the script with nothing on the PATH but the tools it may use and what the test puts into `bin*`."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "tools").mkdir(exist_ok=True)
        (tmp_path / "tools" / tool).symlink_to(found)

    def run(lock: str = "run", **environment: str) -> Result:
        path = [*sorted(str(folder) for folder in tmp_path.glob("bin*")), str(tmp_path / "tools")]
        command = ["bash", str(clone / "requirements" / "venv.sh"), ".venv", lock]
        variables = {"PATH": os.pathsep.join(path), "HOME": str(tmp_path), **environment}
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)

    return run


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3.14": python(14), "python3.13": python(13)}, "3.14"),
        ({"python3.13": python(13), "python3.11": python(11)}, "3.13"),
        ({"python3.13": BROKEN_SHIM, "python3.12": python(12), "python3.11": python(11)}, "3.12"),
        ({"python3.13": python(13, complete=False), "python3.11": python(11)}, "3.11"),
        ({"python3.11": python(11), "python3": python(13)}, "3.13"),
        ({"python3.12": BROKEN_SHIM, "python3": python(11)}, "3.11"),
        ({"python3": TOO_OLD, "python": python(12)}, "3.12"),
    ],
)
def test_the_newest_python_that_works_is_taken(
    clone: Path, build: Build, tmp_path: Path, pythons: dict[str, str], chosen: str
) -> None:
    (clone / "requirements" / "run.txt").touch()
    for name, body in pythons.items():
        script(tmp_path / "bin" / name, body)
    assert f"chosen: {chosen}\n" in build().stdout


def test_a_working_python_behind_a_broken_shim_of_its_name_is_found(clone: Path, build: Build, tmp_path: Path) -> None:
    (clone / "requirements" / "run.txt").touch()
    script(tmp_path / "bin1" / "python3.13", BROKEN_SHIM)
    script(tmp_path / "bin2" / "python3.13", python(13))
    assert "chosen: 3.13\n" in build().stdout


@pytest.mark.parametrize("pythons", [{}, {"python3": TOO_OLD}, {"python3.12": BROKEN_SHIM, "python3": BROKEN_SHIM}])
def test_without_a_python_that_fits_the_cure_is_named(
    clone: Path, build: Build, tmp_path: Path, pythons: dict[str, str]
) -> None:
    (clone / "requirements" / "run.txt").touch()
    for name, body in pythons.items():
        script(tmp_path / "bin" / name, body)
    done = build()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("phototriage: no Python 3.11 to 3.14 that works was found. ")
    assert "apt install python3 python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("lock", ["train", "train-gpu", "test"])
def test_a_lock_with_tensorflow_passes_over_a_python_that_it_has_no_wheel_for(
    clone: Path, build: Build, tmp_path: Path, lock: str
) -> None:
    (clone / "requirements" / f"{lock}.txt").touch()
    newer = script(tmp_path / "bin" / "python3.14", python(14))
    done = build(lock)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"TensorFlow has no wheel for Python 3.14 ({newer})" in done.stderr
    assert "can sort photos (make run), and cannot train" in done.stderr
    assert f"make {'test' if lock == 'test' else 'training'} PYTHON=" in done.stderr
    script(tmp_path / "bin" / "python3.12", python(12))
    assert "chosen: 3.12\n" in build(lock).stdout


def test_without_the_venv_module_the_cure_is_named(clone: Path, build: Build, tmp_path: Path) -> None:
    (clone / "requirements" / "run.txt").touch()
    script(tmp_path / "bin" / "python3.12", python(12, complete=False))
    done = build()
    assert done.returncode == 1
    assert "Python 3.12 without the venv module" in done.stderr
    assert "apt install python3.12-venv" in done.stderr


def test_a_python_that_was_named_and_does_not_work_is_refused(clone: Path, build: Build, tmp_path: Path) -> None:
    (clone / "requirements" / "run.txt").touch()
    script(tmp_path / "bin" / "python3.13", python(13))
    done = build(PYTHON=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert f"as PYTHON={tmp_path / 'nowhere'}" in done.stderr


@pytest.mark.skipif((platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="CUDA wheels are for x86-64")
@pytest.mark.parametrize(
    ("smi", "lock", "lock_train"),
    [
        (None, "run", "train"),
        ("echo 580.65.06", "cuda", "train-gpu"),
        ("echo 590.1; echo 590.1", "cuda", "train-gpu"),
        ("echo 570.124.04", "run", "train-gpu"),
        ("echo 470.1", "run", "train"),
        ("echo 'NVIDIA-SMI has failed because it could not communicate'; exit 9", "run", "train"),
    ],
)
def test_cuda_is_brought_where_a_driver_fits(
    build: Build, tmp_path: Path, smi: str | None, lock: str, lock_train: str
) -> None:
    """No lock file lies in this clone, so that the script ends by naming the one that it looks for."""
    if smi is not None:
        script(tmp_path / "bin" / "nvidia-smi", smi)
    done = build("auto")
    assert f"no lock file requirements/{lock}.txt" in done.stderr
    assert ("CUDA 13 needs 580 or newer" in done.stderr) == (smi in ("echo 570.124.04", "echo 470.1"))
    assert f"no lock file requirements/{lock_train}.txt" in build("auto-train").stderr


BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(folder + "/house-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("house-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: house\\nVersion: 1\\n")
        wheel.writestr("house-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("house-1.dist-info/RECORD", "")
    return "house-1-py3-none-any.whl"
"""
PROJECT = '[project]\nname = "house"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'


def dependency(folder: Path, version: str) -> str:
    """Make a wheel of the one dependency; returns its hashed line in a lock file."""
    folder.mkdir(exist_ok=True)
    path = folder / f"dep-{version}-py3-none-any.whl"
    files = {
        "dep.py": f"version = {version!r}\n",
        f"dep-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: dep\nVersion: {version}\n",
        f"dep-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        record = f"dep-{version}.dist-info/RECORD,,\n"
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        wheel.writestr(f"dep-{version}.dist-info/RECORD", record)
    return f"dep=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_an_environment_is_made_once_resumed_and_follows_its_lock_file(
    clone: Path, build: Build, tmp_path: Path
) -> None:
    lock, project, wheels = clone / "requirements" / "run.txt", clone / "pyproject.toml", tmp_path / "wheels"
    environment = {"PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": ""}
    made = clone / ".venv" / "pyvenv.cfg"
    (clone / "backend.py").write_text(BACKEND, encoding="utf-8")
    project.write_text(PROJECT + 'backend-path = ["."]\n', encoding="utf-8")

    def dep() -> str:
        code = "import dep, importlib.metadata as m; print(dep.version, m.version('house'))"
        return subprocess.check_output([clone / ".venv" / "bin" / "python", "-c", code], text=True).strip()

    lock.write_text(dependency(wheels, "1.0"), encoding="utf-8")
    project.write_text(project.read_text(encoding="utf-8") + "broken", encoding="utf-8")
    done = build(**environment)
    assert done.returncode == 1
    minor = sys.version_info[1]
    assert f"Python 3.{minor} can sort photos, and {'train' if minor < 14 else 'cannot train, because'}" in done.stderr
    born = made.stat().st_ctime_ns
    project.write_text(PROJECT + 'backend-path = ["."]\n', encoding="utf-8")
    done = build(**environment)
    assert (done.returncode, done.stderr, dep()) == (0, "", "1.0 1"), "the first step is not repeated"
    assert made.stat().st_ctime_ns == born

    (wheels / "dep-1.0-py3-none-any.whl").unlink()
    done = build(**environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "what is up to date is left alone, without pip"

    lock.write_text(dependency(wheels, "2.0").replace("sha256:", "sha256:0")[:-2] + "\n", encoding="utf-8")
    done = build(**environment)
    assert made.stat().st_ctime_ns != born, "another lock file starts afresh"
    assert done.returncode == 1, "a wheel with another hash is not installed"
    assert "run the same command again" in done.stderr
