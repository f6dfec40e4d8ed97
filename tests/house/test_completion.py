"""Shells complete what is typed, from the table of commands, and without loading any of them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import phototriage
from tests.house.test_front_door import HEAVY, imported

Require = Callable[[str], str]


@pytest.fixture
def asked(root: Path, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Ask for completions as a shell's function does."""

    def ask(shell: str, words: str, *python: str) -> "subprocess.CompletedProcess[str]":
        place = str(len(words.split()) - 1)
        environment = os.environ | {
            "_PHOTOTRIAGE_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": place
        }  # fmt: skip
        command = [sys.executable, *python, str(root / "phototriage.py")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path)

    return ask


def test_commands_are_completed_with_their_line_and_none_is_imported(
    asked: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    done = asked("zsh", "phototriage h", "-X", "importtime")
    assert done.stdout.splitlines() == ["plain", "history", phototriage.COMMANDS["history"].line]
    assert not imported(done.stderr) & (
        HEAVY | {"common", "contract", "training", "convert", "learn", "daemon", "bulk", "collect"}
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("phototriage watch --dev", "plain,--device"),
        ("phototriage watch --device c", "plain,cpu|plain,cuda"),
        ("phototriage watch --model m", "file,m"),
        ("phototriage service un", "plain,uninstall"),
        ("phototriage completion f", "plain,fish"),
    ],
)
def test_options_choices_and_file_names_are_completed(
    asked: Callable[..., "subprocess.CompletedProcess[str]"], words: str, found: str
) -> None:
    assert asked("bash", words).stdout.split() == found.split("|")


def test_bash_completes_after_reading_what_is_printed(root: Path, tmp_path: Path, require: Require) -> None:
    command = tmp_path / "phototriage"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{root}/phototriage.py" "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(phototriage completion bash)"
        complete -p phototriage
        COMP_WORDS=(phototriage und) COMP_CWORD=1
        _phototriage_completion phototriage
        echo "${COMPREPLY[@]}"
    """
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    bash = [require("bash"), "--norc", "-euc", script]
    done = subprocess.run(bash, capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.splitlines() == ["complete -o nosort -F _phototriage_completion phototriage", "undo"], (
        done.stderr
    )


@pytest.mark.parametrize(("shell", "line"), [("zsh", "#compdef phototriage"), ("fish", "complete --no-files")])
def test_the_other_shells_get_what_they_read(shell: str, line: str, root: Path) -> None:
    command = [sys.executable, str(root / "phototriage.py"), "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert line in done.stdout
    assert f"_PHOTOTRIAGE_COMPLETE={shell}_complete" in done.stdout
