"""Paths of a service's files: in the system's folders, or in the user's own for a user service."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import contract
from daemon.install.errors import ServiceError

CODE_FOLDER = Path(contract.__file__).resolve().parents[1]
"""The folder that holds phototriage's packages: a clone, or an environment's site-packages."""
SHIPPED = CODE_FOLDER / "systemd"
TEMPLATE = "phototriage@.service"
NODES = "phototriage-nvidia.service"
LEARNING = ("phototriage-learn@.service", "phototriage-learn@.timer")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Places:
    """Folders and names for one service.

    Attributes:
        name: the instance's name.
        user: whether it is a user service.
        units: the folder of unit files.
        configurations: the folder of NAME.toml.
        records: the folder of records of what was installed, so that exactly that can be removed.
    """

    name: str
    user: bool
    units: Path
    configurations: Path
    records: Path

    @property
    def unit(self) -> str:
        """The name of the instance's unit."""
        return f"phototriage@{self.name}.service"

    @property
    def template(self) -> Path:
        return self.units / TEMPLATE

    @property
    def shared(self) -> tuple[Path, ...]:
        """Unit files that all services here share."""
        return (self.template,) if self.user else (self.template, self.units / NODES)

    @property
    def learn_unit(self) -> str:
        """The name of the unit that learns."""
        return f"phototriage-learn@{self.name}.service"

    @property
    def learn_timer(self) -> str:
        """The name of the timer that starts it."""
        return f"phototriage-learn@{self.name}.timer"

    @property
    def timers(self) -> Path:
        """The folder where systemd notes when a timer ran last."""
        data = _xdg("XDG_DATA_HOME", ".local/share") if self.user else Path("/var/lib")
        return data / "systemd" / "timers"

    @property
    def learning(self) -> tuple[Path, ...]:
        """Unit files that all services that learn share."""
        return tuple(self.units / name for name in LEARNING)

    @property
    def learn_drop_in(self) -> Path:
        return self.units / f"{self.learn_unit}.d" / "phototriage.conf"

    @property
    def drop_in(self) -> Path:
        return self.units / f"{self.unit}.d" / "phototriage.conf"

    @property
    def configuration(self) -> Path:
        return self.configurations / f"{self.name}.toml"

    @property
    def record(self) -> Path:
        return self.records / f"{self.name}.json"

    @property
    def systemctl(self) -> tuple[str, ...]:
        return ("systemctl", "--user") if self.user else ("systemctl",)


def places(name: str, *, user: bool) -> Places:
    """Return the paths of a service's files.

    Raises:
        ServiceError: the name is not valid for both a unit and a file.
    """
    if not _NAME.fullmatch(name):
        raise ServiceError(
            f"{name!r} cannot name a service. Use letters, digits, - and _, beginning with a letter or a digit."
        )
    if not user:
        records = Path("/var/lib/phototriage/.installed")
        return Places(name, user, Path("/etc/systemd/system"), Path("/etc/phototriage"), records)
    configurations = _xdg("XDG_CONFIG_HOME", ".config")
    records = _xdg("XDG_STATE_HOME", ".local/state") / "phototriage" / ".installed"
    return Places(name, user, configurations / "systemd" / "user", configurations / "phototriage", records)


def _xdg(variable: str, otherwise: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / otherwise
