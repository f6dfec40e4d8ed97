"""The front door: what it says, what it loads, and how errors end."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import phototriage
from common.packages import TRAINING_MODULES, missing_training

HEAVY = {"numpy", "onnxruntime", "tensorflow", "keras", "rich", "PIL"}

AddCommand = Callable[[str], list[str]]


def imported(stderr: str) -> set[str]:
    """Top-level names in the report of `python -X importtime`."""
    lines = [line for line in stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.fixture
def add_command(tmp_path: Path, root: Path) -> AddCommand:
    """Put a real subcommand `probe` with the given body behind the front door; returns the command line."""

    def add(body: str) -> list[str]:
        source = "import os, signal, sys\nimport click\n\n@click.command()\ndef probe():\n"
        (tmp_path / "probe_room.py").write_text(source + textwrap.indent(body, "    "), encoding="utf-8")
        start = f"""
            import sys
            sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]
            import phototriage
            phototriage.COMMANDS["probe"] = phototriage.Entry("probe_room:probe", "A probe.")
            phototriage.main()
        """
        return [sys.executable, "-c", textwrap.dedent(start), "probe"]

    return add


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_help_lists_every_command_and_imports_none(root: Path) -> None:
    done = run([sys.executable, "-X", "importtime", str(root / "phototriage.py"), "--help"])
    assert done.returncode == 0
    for name, entry in phototriage.COMMANDS.items():
        assert f"{name} {entry.line}" in " ".join(done.stdout.split())
    names = imported(done.stderr)
    assert "click" in names
    assert not names & (HEAVY | {"common", "contract", "training", "convert", "learn", "daemon", "bulk", "collect"})


@pytest.mark.parametrize("name", list(phototriage.COMMANDS))
def test_the_line_in_the_help_is_the_commands_own(name: str) -> None:
    command = phototriage.cli.get_command(click.Context(phototriage.cli), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200) == phototriage.COMMANDS[name].line


@pytest.mark.parametrize("name", list(phototriage.COMMANDS))
def test_a_commands_help_needs_no_training_dependency(name: str, root: Path) -> None:
    done = run([sys.executable, "-X", "importtime", str(root / "phototriage.py"), name, "--help"])
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(f"Usage: phototriage {name} ")
    assert not imported(done.stderr) & TRAINING_MODULES


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield each command, and each command of a command, as it is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*words, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


@pytest.mark.parametrize("words", list(commands(phototriage.cli)), ids=" ".join)
def test_a_commands_help_shows_how_it_is_called(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(phototriage.cli, [*words, "--help"]).output
    _, found, examples = said.partition("Examples:\n")
    assert found
    called = " ".join(["phototriage", *words])
    assert called in examples.partition("Options:")[0]


def test_wrong_usage_exits_2() -> None:
    result = CliRunner().invoke(phototriage.cli, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command 'no-such-command'" in result.output


def test_a_mistyped_command_is_told_the_nearest() -> None:
    result = CliRunner().invoke(phototriage.cli, ["wach"])
    assert result.exit_code == 2
    assert "No such command 'wach'. Did you mean watch or cache?" in result.output


def test_version_is_the_one_that_the_package_carries() -> None:
    result = CliRunner().invoke(phototriage.cli, ["--version"])
    assert result.output == f"phototriage, version {phototriage.__version__}\n"


def test_a_users_error_is_one_sentence_and_exit_1(add_command: AddCommand) -> None:
    done = run(add_command("from common.errors import ModelError\nraise ModelError('x.onnx is no model. Make one.')"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "phototriage: x.onnx is no model. Make one.\n"


@pytest.mark.parametrize("module", ["tensorflow", "keras.layers", "sklearn"])
def test_a_missing_training_dependency_names_the_extra(add_command: AddCommand, module: str) -> None:
    done = run(add_command(f"raise ModuleNotFoundError('No module named {module}', name={module!r})"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert f"`probe` needs {module.partition('.')[0]}" in done.stderr
    assert 'pip install ".[cpu,train]"' in done.stderr or "no wheel for Python" in done.stderr


@pytest.mark.parametrize(
    ("module", "python", "cure"),
    [
        ("tensorflow", (3, 13), "run `make training`"),
        ("tensorflow", (3, 14), "TensorFlow has no wheel for Python 3.14. Train with Python 3.11, 3.12 or 3.13"),
        ("keras", (3, 15), "TensorFlow has no wheel for Python 3.15"),
        ("sklearn", (3, 14), "run `make training`"),
    ],
)
def test_a_python_without_tensorflow_is_named_as_the_reason(module: str, python: tuple[int, int], cure: str) -> None:
    assert cure in missing_training("`train`", module, python)


def test_any_other_missing_module_is_a_fault_of_ours_and_stays_visible(add_command: AddCommand) -> None:
    done = run(add_command("import no_such_module_of_ours"))
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_ctrl_c_ends_with_130_and_no_traceback(add_command: AddCommand) -> None:
    done = run(add_command("os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()"))
    assert done.returncode == 128 + signal.SIGINT
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_alarm(add_command: AddCommand) -> None:
    process = subprocess.Popen(
        add_command("for _ in range(100_000): click.echo('line')"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        assert os.read(process.stdout.fileno(), 5) == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
