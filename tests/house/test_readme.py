"""Every command in the README is known here, and those that can run do run, in the order in which they are read."""

import os
import re
import signal
import subprocess
import sys
import time
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pytest

from common.drawing import KINDS, draw_scene
from tests.house.readme_commands import LISTED, RUN, WATCHED

BLOCK = re.compile(r"^```sh\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
"""What a user types. Blocks of what appears are marked ```text."""


class Does(Enum):
    """What this test does with a command."""

    RUN = "runs it"
    WATCH = "starts it, drops a photo, sees it filed, and stops it with Ctrl-C"
    LIST = "leaves it out, for a reason that is given"


class Command(NamedTuple):
    """One command of the README and what is done with it; None: nobody knows."""

    line: str
    does: Does | None


def commands(text: str) -> list[Command]:
    """The commands in the README's shell blocks, without comments, lines that go on joined."""
    lines = "\n".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    bare = [re.sub(r"\s+", " ", re.sub(r"\s+#.*", "", line)).strip() for line in lines]
    return [Command(line, known(line)) for line in bare if line and not line.startswith("#")]


def known(line: str) -> Does | None:
    for table, does in ((RUN, Does.RUN), (WATCHED, Does.WATCH), (LISTED, Does.LIST)):
        if line in table:
            return does
    return None


@pytest.fixture(scope="module")
def readme(root: Path) -> list[Command]:
    found = commands((root / "README.md").read_text(encoding="utf-8"))
    assert found, "the README shows no command"
    return found


def test_every_command_of_the_readme_is_known_here(readme: list[Command]) -> None:
    assert [command.line for command in readme if command.does is None] == []


def test_nothing_is_known_here_that_the_readme_no_longer_shows(readme: list[Command]) -> None:
    shown = {command.line for command in readme}
    assert [line for line in (*RUN, *WATCHED, *LISTED) if line not in shown] == []


def test_the_readme_never_installs_from_an_index(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    assert re.search(r"(pip|pipx|uv tool) install \"?phototriage", text) is None


def test_an_unknown_command_is_noticed() -> None:
    text = "```sh\nmake nonsense  # no such target\n```\n```text\nwhat appears\n```\n"
    assert commands(text) == [Command("make nonsense", None)]


@pytest.fixture
def workspace(tmp_path: Path, root: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README's reader has it: `photos/` by class, an `inbox/`, and the command."""
    (tmp_path / "inbox").mkdir()
    for kind in list(KINDS)[:3]:
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for seed in range(12):
            draw_scene(kind, seed).save(tmp_path / "photos" / kind / f"{seed}.jpg")
    command = tmp_path / "bin" / "phototriage"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m phototriage "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    monkeypatch.setenv("KERAS_HOME", str(shared / "keras"))
    return tmp_path


def watch(line: str, workspace: Path) -> None:
    """Start the daemon, wait until the photo in its inbox is filed, and press Ctrl-C."""
    process = subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=workspace, stdout=subprocess.PIPE, text=True)
    with process:
        deadline = time.monotonic() + 60
        while (workspace / "inbox" / "holiday.jpg").exists():
            assert process.poll() is None, f"{line} ended by itself"
            assert time.monotonic() < deadline, f"{line} filed nothing"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert "holiday.jpg" in said


def test_the_commands_work_as_written(readme: list[Command], workspace: Path) -> None:
    for line, does in readme:
        draw_scene("forest", 99).save(workspace / "inbox" / "holiday.jpg")
        if does is Does.WATCH:
            watch(line, workspace)
        elif does is Does.RUN:
            done = subprocess.run(["bash", "-c", line], cwd=workspace, capture_output=True, text=True, timeout=1500)
            assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
