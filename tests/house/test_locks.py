"""The lock files: hashed, for every Python in range, made by a tool, and naming no host."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

NAMES = ("run", "cuda", "train", "train-gpu", "test", "test-daemon", "bulk", "system")
TRAINING = {"tensorflow", "keras", "tf2onnx"}


def lock(root: Path, name: str) -> str:
    return (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_hashes_and_no_line_names_a_place(root: Path, name: str) -> None:
    text = lock(root, name)
    assert re.search(r"https?:|file:|index-url|find-links|trusted-host|/(tmp|home|root|opt)/", text) is None
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", NAMES)
def test_every_lock_brings_the_build_backend_and_the_base(root: Path, project: dict[str, Any], name: str) -> None:
    locked = pins(lock(root, name))
    base = {re.split(r"[\[><=! ;]", line)[0] for line in project["project"]["dependencies"]}
    assert base | {"hatchling"} <= locked.keys()


def test_training_is_locked_only_where_it_belongs(root: Path) -> None:
    held = {name: pins(lock(root, name)).keys() >= TRAINING for name in NAMES}
    assert [name for name in NAMES if held[name]] == ["train", "train-gpu", "test"]
    for name in ("run", "cuda", "test-daemon"):
        assert not TRAINING & pins(lock(root, name)).keys()


def test_cuda_13_and_cuda_12_never_meet(root: Path) -> None:
    """Both bring a cuDNN with the same file names, and the last one breaks the other."""
    cudnn = {name: [pin for pin in pins(lock(root, name)) if pin.startswith("nvidia-cudnn")] for name in NAMES}
    found = {name: held for name, held in cudnn.items() if held}
    assert found == {"cuda": ["nvidia-cudnn-cu13"], "train-gpu": ["nvidia-cudnn-cu12"]}


def test_every_lock_brings_exactly_one_onnx_runtime(root: Path) -> None:
    """Two would overwrite each other; with CUDA only where the daemon is to run on it."""
    held = {name: sorted(pin for pin in pins(lock(root, name)) if pin.startswith("onnxruntime")) for name in NAMES}
    assert held == {name: ["onnxruntime-gpu" if name == "cuda" else "onnxruntime"] for name in NAMES}


def test_no_python_from_3_11_on_is_shut_out_and_tensorflow_is_asked_for_where_it_has_a_wheel(
    root: Path, project: dict[str, Any]
) -> None:
    assert project["project"]["requires-python"] == ">=3.11"
    asked = [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    assert all("python_version < '3.14'" in line for line in asked if line.startswith("tensorflow"))
    marked = re.findall(r"^([a-z0-9-]+)==\S+ ; python_full_version < '3\.14'", lock(root, "train"), flags=re.MULTILINE)
    assert "tensorflow" in marked
    for name in ("run", "cuda", "test-daemon"):
        assert re.search(r"^[a-z0-9-]+==\S+ ; .*python", lock(root, name), flags=re.MULTILINE) is None, name


def test_one_version_of_a_package_in_all_locks(root: Path) -> None:
    versions: dict[str, set[str]] = {}
    for name in NAMES:
        for package, version in pins(lock(root, name)).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_the_build_group_repeats_the_build_backend(project: dict[str, Any]) -> None:
    assert project["dependency-groups"]["build"] == project["build-system"]["requires"]


def test_base_dependencies_are_the_daemons_and_no_more(project: dict[str, Any]) -> None:
    names = [re.split(r"[><=! ;]", line)[0] for line in project["project"]["dependencies"]]
    assert names == ["click", "numpy", "pillow", "pi-heif", "rich"]
    everything = str(project["project"]["dependencies"]) + str(project["project"]["optional-dependencies"])
    assert "python-daemon" not in everything
