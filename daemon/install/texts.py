"""The texts of a service: its configuration, and the drop-in that says what is particular to it."""

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from contract.text import printable
from daemon.install import sandbox
from daemon.install.errors import ServiceError
from daemon.install.places import HOUSE, SHIPPED
from daemon.install.service_spec import ServiceSpec, check_reach

_HEAD = "# Written by `phototriage service install`. Changes of yours belong beside it: systemctl{} edit {}\n"


def shipped(unit: str, *, user: bool) -> str:
    """Return a unit that all services share, as it ships."""
    return (SHIPPED / "user" / unit if user else SHIPPED / unit).read_text(encoding="utf-8")


def drop_in(wish: ServiceSpec) -> str:
    """Return what is particular to one service: who runs it, what it may write, and which phototriage it is."""
    places = wish.places
    head = _HEAD.format(" --user" if places.user else "", places.unit)
    lines = ["[Unit]", *sandbox.mounts(wish), "", "[Service]"]
    if not places.user:
        lines += [f"User={wish.runs_as.name}", f"Group={wish.runs_as.group}"]
        lines += [] if wish.is_shared else ["# As its owner makes folders.", "UMask=0022"]
        lines += sandbox.paths(wish)
    lines += [
        "ExecStart=",
        f"ExecStart={_program(user=places.user)} watch --config {sandbox.quoted(places.configuration)}",
    ]
    text = head + "\n".join(lines) + "\n"
    return text.replace("[Unit]\n\n", "")


def configuration(wish: ServiceSpec) -> str:
    """Return the service's TOML file: the one that is there, or else the example, with these folders and this model.

    Raises:
        ServiceError: the file that is there cannot be changed line by line.
    """
    path = wish.places.configuration
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = (SHIPPED / "example.toml").read_text(encoding="utf-8").replace("NAME", wish.places.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(f"{printable(path)} cannot be read: {error}. Mend it or move it away.") from error
    wanted = {"inbox": str(wish.inbox), "output": str(wish.output)}
    if wish.model is not None:
        wanted["model"] = str(wish.model)
    changed = _with(text, wanted)
    try:
        values = tomllib.loads(changed)
    except tomllib.TOMLDecodeError as error:
        raise ServiceError(f"{printable(path)} is no valid TOML: {error}. Mend it or move it away.") from error
    if any(values.get(key) != value for key, value in wanted.items()):
        raise ServiceError(
            f"In {printable(path)} inbox, output and model must each be one line. Mend it or move it away."
        )
    return changed


def _with(text: str, values: Mapping[str, str]) -> str:
    """Set keys in a TOML text, in their line, where they stand or where they are commented out."""
    for key, value in values.items():
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"  # a JSON string is a TOML string
        for pattern in (rf"^{key}\s*=.*$", rf"^#\s*{key}\s*=.*$"):
            text, found = re.subn(pattern, lambda _, line=line: line, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
            if found:
                break
        else:
            text = f"{line}\n{text}"
    return text


def _program(*, user: bool) -> str:
    """Return the command of the phototriage that runs now, as words of a unit file.

    Raises:
        ServiceError: it was not installed, only called, or lies where a service sees nothing.
    """
    path = Path(sys.prefix) / "bin" / "phototriage"
    if not path.is_file():
        raise ServiceError(
            f"There is no {path}: this phototriage was called from {HOUSE} without being installed into an "
            "environment. Install it (see the README), and call that one."
        )
    if not user:
        check_reach(path)
    return sandbox.quoted(path).replace("$", "$$")
