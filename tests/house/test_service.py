"""The unit: systemd takes it, it is as closed as a GPU allows, and its example configuration is one."""

import configparser
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from daemon.cli import watch

Require = Callable[[str], str]


@pytest.fixture
def unit(root: Path) -> Path:
    return root / "systemd" / "phototriage@.service"


def read(unit: Path) -> configparser.RawConfigParser:
    """The unit's sections; of a key given twice the last value (enough for the keys looked at here)."""
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#",), delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit, encoding="utf-8")
    return parser


def test_systemd_finds_no_fault_in_it(unit: Path, require: Require, tmp_path: Path) -> None:
    """With a program at hand: that /opt/phototriage is not there yet is the one thing that it may say."""
    copy = tmp_path / unit.name
    program = read(unit)["Service"]["ExecStart"].split()[0]
    copy.write_text(unit.read_text(encoding="utf-8").replace(program, "/bin/true"), encoding="utf-8")
    done = subprocess.run([require("systemd-analyze"), "verify", copy], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_exposure_is_at_most_one_half(unit: Path, require: Require) -> None:
    command = [require("systemd-analyze"), "security", "--offline=yes", "--threshold=5", "--json=short", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout), "the table is there"
    assert done.returncode == 0, "the exposure level is over 0.5"


def test_it_runs_watch_with_the_configuration_of_its_name(unit: Path) -> None:
    service = read(unit)["Service"]
    assert service["ExecStart"] == "/opt/phototriage/bin/phototriage watch --config /etc/phototriage/%i.toml"
    assert service["Type"] == "notify"
    assert service["StateDirectory"] == "phototriage/%i"
    assert (service["Restart"], service["RestartSec"]) == ("on-failure", "2")
    assert read(unit)["Unit"]["StartLimitIntervalSec"] == "0"


def test_one_parent_is_writable_so_that_a_rename_stays_a_rename(unit: Path, root: Path) -> None:
    lines = [line for line in unit.read_text(encoding="utf-8").splitlines() if line.startswith("ReadWritePaths=")]
    assert lines == ["ReadWritePaths=-/srv/phototriage/%i"]
    example = tomllib.loads((root / "systemd" / "example.toml").read_text(encoding="utf-8"))
    for key in ("inbox", "output"):
        assert Path(example[key]).parent == Path("/srv/phototriage/NAME")


def test_the_example_shows_every_key_with_its_default(root: Path) -> None:
    text = (root / "systemd" / "example.toml").read_text(encoding="utf-8")
    uncommented = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))
    options = {parameter.opts[0].lstrip("-").replace("-", "_"): parameter for parameter in watch.params}
    assert uncommented.keys() == options.keys() - {"config"}
    for key in uncommented.keys() - {"inbox", "output", "model"}:
        assert uncommented[key] == options[key].get_default(click.Context(watch))
