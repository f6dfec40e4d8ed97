"""ONNX Runtime comes as one of two packages: without either, or with both, each command says so, with the cure."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

import phototriage
from common.packages import (
    BULK,
    LEARNING,
    RUNTIMES,
    MissingPackageError,
    installed_runtimes,
    pip,
    require_bulk,
    require_learning,
    two_runtimes,
)
from tests.daemon.support import DEADLINE_S, model_file, plain

COMMANDS = (
    "watch --inbox in --output out",
    "sort --inbox in --output out",
    "sort --inbox in --output out --dry-run",
    "demo",
    "inspect",
    "inspect colours.onnx",
    "replay --model colours.onnx --inbox in",
    "model use colours.onnx --inbox in",
    "service install photos --inbox in --output out --dry-run",
)
"""Each needs ONNX Runtime, or installs what does."""
ASK = """
import json, sys
from click.testing import CliRunner
import phototriage

def ask(words):
    result = CliRunner().invoke(phototriage.cli, words.split())
    return [result.exit_code, result.output, repr(result.exception)]

json.dump({words: ask(words) for words in json.loads(sys.argv[1])}, sys.stdout)
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[Path, dict[str, str]]:
    """A Python and the environment variables with which it finds all packages of this one but ONNX Runtime."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder / "venv", with_pip=False)
    (folder / "packages").mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(("onnxruntime", "phototriage", "_phototriage", "__pycache__")):
            (folder / "packages" / package.name).symlink_to(package)
    path = os.pathsep.join([str(folder / "packages"), str(root)])
    return folder / "venv" / "bin" / "python", {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def asked(light: tuple[Path, dict[str, str]], folder: Path, *commands: str) -> dict[str, tuple[int, str, str]]:
    """Run the commands in one process, in a folder with an inbox; returns exit code, output and exception of each."""
    python, variables = light
    (folder / "in").mkdir()
    (folder / "in" / "red.jpg").write_bytes(plain("red"))
    model_file(folder)
    state = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run(
        [python, "-c", ASK, json.dumps(commands)], cwd=folder, env=variables | state, capture_output=True, text=True,
        timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, tuple[int, str, str]] = json.loads(done.stdout)
    return answers


def test_without_onnx_runtime_each_command_that_needs_it_names_both_packages_in_one_sentence(
    light: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    for words, (code, said, exception) in asked(light, tmp_path, *COMMANDS).items():
        assert (code, exception) == (1, "SystemExit(1)"), f"{words}: {said} {exception}"
        assert said.startswith("phototriage: "), words
        assert said.count("\n") == 1, f"{words}: {said}"
        assert "needs ONNX Runtime, which is not installed" in said, words
        assert "the extra `cpu`" in said
        assert "'onnxruntime>=1.31,<2'" in said
        assert "the extra `cuda`" in said
        assert "'onnxruntime-gpu[cuda,cudnn]>=1.31,<2'" in said
    assert len(list((tmp_path / "in").iterdir())) == 1, "the photo is where it was"


def test_without_onnx_runtime_the_doctor_says_what_is_missing_and_questions_are_answered(
    light: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    answers = asked(light, tmp_path, "doctor --json --inbox in --output out", "history --inbox in", "--help")
    code, said, _ = answers["doctor --json --inbox in --output out"]
    found = {one["about"]: one for one in map(json.loads, said.splitlines()) if one["level"] == "fault"}
    assert (code, sorted(found)) == (1, ["model", "onnx runtime"]), said
    assert "onnxruntime-gpu[cuda,cudnn]" in found["onnx runtime"]["cure"]
    assert "ONNX Runtime cannot be loaded" in found["model"]["says"]
    assert "ONNX Runtime" not in answers["history --inbox in"][1]
    assert answers["--help"][0] == 0


def test_files_that_an_uninstallation_took_away_are_said_to_be_missing(
    light: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """After both were installed, the removal of one leaves the other's record and an empty folder."""
    python, variables = light
    for name in ("onnxruntime/capi", "onnxruntime-1.31.1.dist-info"):
        (tmp_path / "left" / name).mkdir(parents=True)
    variables = variables | {"PYTHONPATH": f"{tmp_path / 'left'}{os.pathsep}{variables['PYTHONPATH']}"}
    train = "train in --output run"
    answers = asked((python, variables), tmp_path, "sort --inbox in --output out", "inspect", train)
    assert answers.pop(train)[1].startswith("phototriage: `train` needs keras, which is not installed"), (
        "before all else"
    )
    for words, (code, said, exception) in answers.items():
        assert (code, exception) == (1, "SystemExit(1)"), f"{words}: {said} {exception}"
        assert "onnxruntime is installed, but files of it are missing" in said


def test_a_start_with_both_packages_says_so_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnxruntime-1.31.1.dist-info", "onnxruntime_gpu-1.31.1.dist-info"):
        (tmp_path / "both" / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "both")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "red.jpg").write_bytes(plain("red"))
    words = ["sort", "--inbox", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(phototriage.cli, [*words, "--model", str(model_file(tmp_path))])
    assert result.exit_code == 0, result.output
    said = capfd.readouterr().err
    assert "onnxruntime and onnxruntime-gpu are both installed and share files" in said
    assert "-m pip uninstall --yes onnxruntime onnxruntime-gpu && " in said
    assert not list((tmp_path / "in").glob("*.jpg"))


def test_this_environment_holds_exactly_one_and_nothing_is_said_about_it() -> None:
    found = installed_runtimes()
    assert len(found) == 1
    assert two_runtimes(found) == ""


def test_an_environment_without_pip_is_told_uvs_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.packages.find_spec", lambda name: None)
    assert pip("install", RUNTIMES["onnxruntime"]) == (
        f"uv pip install --python {sys.executable} 'onnxruntime>=1.31,<2'"
    )


def test_the_packages_that_are_named_are_those_of_the_extras(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert (extras["cpu"], extras["cuda"]) == ([RUNTIMES["onnxruntime"]], [RUNTIMES["onnxruntime-gpu"]])
    assert extras["learn"] == list(LEARNING.values())
    assert sorted(extras["bulk"]) == sorted(BULK.values())
    assert "onnxruntime" not in str(project["dependencies"])


def test_learning_without_its_extra_names_the_one_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"onnx", "sklearn", "pip"}
    monkeypatch.setattr("common.packages.find_spec", lambda name: name if name in found else None)
    with pytest.raises(MissingPackageError) as error:
        require_learning("`learn`")
    said = "`learn` needs scipy, threadpoolctl, and the daemon does not, so they are an extra. Install: "
    command = "-m pip install 'scipy>=1.17,<2' 'threadpoolctl>=3.6,<4'"
    assert str(error.value).startswith(said)
    assert str(error.value).endswith(command)


def test_bulk_without_its_extra_names_the_packages_of_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.packages.find_spec", lambda name: name if name == "pip" else None)
    with pytest.raises(MissingPackageError) as error:
        require_bulk("`bulk run`", "pyarrow", "ray")
    assert "`bulk run` needs pyarrow, ray, and the daemon does not" in str(error.value)
    assert str(error.value).endswith("-m pip install 'pyarrow>=26,<27' 'ray[data]>=2.60,<3'")
