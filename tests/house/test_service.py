"""The units: systemd takes them, they are as closed as a GPU allows, and the example configuration is one."""

import configparser
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from daemon.commands.watch import watch

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


@pytest.fixture
def learning(root: Path) -> Path:
    return root / "systemd" / "phototriage-learn@.service"


@pytest.mark.parametrize("name", ["phototriage@.service", "phototriage-learn@.service"])
@pytest.mark.parametrize("whose", ["system", "user"])
def test_systemd_finds_no_fault_in_it(unit: Path, require: Require, tmp_path: Path, whose: str, name: str) -> None:
    """With a program at hand: that /opt/phototriage is not there yet is the one thing that it may say."""
    file = unit.with_name(name) if whose == "system" else unit.parent / "user" / name
    copy = tmp_path / name
    program = read(file)["Service"]["ExecStart"].split()[0]
    copy.write_text(file.read_text(encoding="utf-8").replace(program, "/bin/true"), encoding="utf-8")
    command = [require("systemd-analyze"), f"--{whose}", "verify", str(copy)]
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_finds_no_fault_in_the_unit_for_the_device_nodes(unit: Path, require: Require) -> None:
    nodes = unit.with_name("phototriage-nvidia.service")
    done = subprocess.run([require("systemd-analyze"), "verify", nodes], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    after = read(unit)["Unit"]["After"].split()
    assert nodes.name in after


def test_a_users_own_unit_holds_nothing_that_the_systems_does_not(unit: Path) -> None:
    """But where it finds its program and its configuration, and what it is wanted by."""
    lines = set(unit.read_text(encoding="utf-8").splitlines())
    own = (unit.parent / "user" / unit.name).read_text(encoding="utf-8").splitlines()
    differ = [line for line in own if line and not line.startswith("#") and line not in lines]
    assert differ == [
        "ExecStart=%h/.local/bin/phototriage watch --config %E/phototriage/%i.toml",
        "WantedBy=default.target",
    ]


def test_the_learning_is_quiet_and_a_users_own_holds_nothing_that_the_systems_does_not(learning: Path) -> None:
    service = read(learning)["Service"]
    asked = {"Nice": "19", "CPUSchedulingPolicy": "idle", "MemoryMax": "600M", "PrivateNetwork": "yes"}
    assert asked.items() <= service.items()
    assert service["ExecStart"] == "/opt/phototriage/bin/phototriage learn --auto --for %i"
    lines = set(learning.read_text(encoding="utf-8").splitlines())
    own = (learning.parent / "user" / learning.name).read_text(encoding="utf-8").splitlines()
    differ = [line for line in own if line and not line.startswith("#") and line not in lines]
    assert differ == ["ExecStart=%h/.local/bin/phototriage learn --auto"]


def test_the_users_and_folders_beside_it_can_be_made(unit: Path, require: Require, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name, tool, *options in (("sysusers", "systemd-sysusers"), ("tmpfiles", "systemd-tmpfiles", "--create")):
        file = unit.parent / f"{name}.d" / "phototriage.conf"
        command = [require(tool), f"--root={tmp_path}", *options, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    if os.geteuid() == 0:
        entry = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8").splitlines()[-1].split(":")
        assert (entry[0], *entry[4:]) == ("phototriage", "phototriage", "/", "/usr/sbin/nologin")
        assert (tmp_path / "etc" / "phototriage").is_dir()
        assert (tmp_path / "srv" / "phototriage").is_dir()


@pytest.mark.parametrize(("name", "tenths"), [("phototriage@.service", 5), ("phototriage-learn@.service", 2)])
def test_its_exposure_is_at_most_one_half(unit: Path, require: Require, name: str, tenths: int) -> None:
    file = str(unit.with_name(name))
    command = [require("systemd-analyze"), "security", "--offline=yes", f"--threshold={tenths}", "--json=short", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout), "the table is there"
    assert done.returncode == 0, "the exposure level is higher"


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
    for key in uncommented.keys() - {"inbox", "output", "model", "metrics_file"}:
        assert uncommented[key] == options[key].get_default(click.Context(watch))


def test_it_may_open_the_devices_that_drivers_name(unit: Path) -> None:
    """As /proc/devices names them: 195 nvidia, 195 nvidiactl, 238 nvidia-uvm, 241 nvidia-caps (driver 580.159.04)."""
    allowed = re.findall(r"^DeviceAllow=char-(\S+) rw$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"nvidia", "nvidiactl", "nvidia-uvm", "nvidia-caps"} <= set(allowed)
    assert all(name.startswith("nvidia") for name in allowed)
