"""Where the files of a service lie: in the system's folders, or in those of the user who runs it without root."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import contract
from daemon.install.errors import ServiceError

HOUSE = Path(contract.__file__).resolve().parents[1]
"""Where the rooms lie, in a clone or among an environment's packages."""
SHIPPED = HOUSE / "systemd"
TEMPLATE = "phototriage@.service"
NODES = "phototriage-nvidia.service"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Places:
    """Folders and names for one service.

    Attributes:
        name: of the instance.
        user: whether it is a user's own service.
        units: folder of unit files.
        configurations: folder of NAME.toml.
        records: folder of what was installed, so that exactly that can be taken back.
    """

    name: str
    user: bool
    units: Path
    configurations: Path
    records: Path

    @property
    def unit(self) -> str:
        """Name of the instance's unit."""
        return f"phototriage@{self.name}.service"

    @property
    def template(self) -> Path:
        return self.units / TEMPLATE

    @property
    def shared(self) -> tuple[Path, ...]:
        """Units that all services here need."""
        return (self.template,) if self.user else (self.template, self.units / NODES)

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
    """Return where a service's files lie.

    Raises:
        ServiceError: the name cannot be one of a unit and a file alike.
    """
    if not _NAME.fullmatch(name):
        raise ServiceError(
            f"{name!r} cannot name a service: take letters, digits, - and _, beginning with a letter or a digit."
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
