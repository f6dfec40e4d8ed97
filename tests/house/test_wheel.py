"""The built wheel: what is in it, what it asks for, and that it works away from the repository."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

PACKAGED = (
    *("phototriage.py", "common", "contract", "training", "convert", "learn", "daemon", "bulk", "collect", "systemd"),
)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling comes with every lock file")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh environment that holds nothing but the wheel."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-deps", "--no-index"]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return python


def test_every_file_of_the_house_is_in_it_and_nothing_else(root: Path, names: set[str]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGED],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git clone: what belongs into the wheel is unknown")
    expected = {line for line in listed.stdout.splitlines() if (root / line).exists()}
    assert {name for name in names if ".dist-info/" not in name} == expected


def test_the_shipped_model_its_card_and_the_unit_are_in_it(names: set[str]) -> None:
    assert {
        "phototriage.py",
        "contract/models/scenes.onnx",
        "contract/models/scenes.memory",
        "contract/models/scenes.md",
        "contract/models/broad.npz",
        "contract/models/broad.md",
        "systemd/phototriage@.service",
        "systemd/example.toml",
        "systemd/phototriage-nvidia.service",
        "systemd/phototriage-learn@.service",
        "systemd/phototriage-learn@.timer",
        "systemd/user/phototriage-learn@.service",
        "systemd/user/phototriage@.service",
        "systemd/sysusers.d/phototriage.conf",
        "systemd/tmpfiles.d/phototriage.conf",
    } <= names


def test_the_shipped_model_its_memory_and_the_broad_network_are_at_most_34_mb(wheel: Path) -> None:
    names = ("scenes.onnx", "scenes.memory", "broad.npz")
    with zipfile.ZipFile(wheel) as archive:
        sizes = [archive.getinfo(f"contract/models/{name}").file_size for name in names]
    assert sum(sizes) <= 34_000_000


def test_it_is_no_upload_and_asks_for_no_namesake(metadata: Message) -> None:
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])
    required = " ".join(metadata.get_all("Requires-Dist", []))
    assert "pillow" in required
    assert "python-daemon" not in required
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "cpu",
        "cuda",
        "metrics",
        "learn",
        "bulk",
        "system",
        "train",
        "train-gpu",
        "test",
        "dev",
    }


def test_it_works_away_from_the_repository(installed: Path, tmp_path: Path) -> None:
    """The dependencies are lent by the environment of the tests; the house itself must be the wheel's."""
    code = (
        "import pathlib, phototriage, contract.shipped, training, convert, daemon, bulk, collect\n"
        "house = pathlib.Path(phototriage.__file__).parent\n"
        "assert contract.shipped.SHIPPED_MODEL.is_relative_to(house), contract.shipped.SHIPPED_MODEL\n"
        "assert contract.shipped.SHIPPED_MODEL.is_file()\n"
        "assert (house / 'systemd' / 'phototriage@.service').is_file()\n"
        "print(house)\n"
    )
    environment = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")}
    done = subprocess.run(
        [installed, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parents[1])
    script = installed.parent / "phototriage"
    done = subprocess.run([script, "--version"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("phototriage, version ")
