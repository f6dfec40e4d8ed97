"""The texts of a service: its configuration, and the drop-in with its own settings."""

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from common.text import printable
from daemon.install import sandbox
from daemon.install.errors import ServiceError
from daemon.install.places import CODE_FOLDER, SHIPPED, Places
from daemon.install.service_spec import ServiceSpec, check_reach

_HEAD = "# Written by `phototriage service install`. Changes of yours belong beside it: systemctl{} edit {}\n"


def shipped(unit: str, *, user: bool) -> str:
    """Return a shipped unit that all services share; some are the same for a user's own."""
    own = SHIPPED / "user" / unit
    return (own if user and own.exists() else SHIPPED / unit).read_text(encoding="utf-8")


def head(places: Places, unit: str) -> str:
    """Return the first line of a drop-in."""
    return _HEAD.format(" --user" if places.user else "", unit)


def drop_in(spec: ServiceSpec) -> str:
    """Return the settings of one service: its user, its writable folders, and its phototriage."""
    places = spec.places
    lines = ["[Unit]", *sandbox.mounts(spec), "", "[Service]"]
    if not places.user:
        lines += [f"User={spec.runs_as.name}", f"Group={spec.runs_as.group}"]
        lines += [] if spec.is_shared else ["# As its owner makes folders.", "UMask=0022"]
        lines += sandbox.paths(spec)
    lines += [
        "ExecStart=",
        f"ExecStart={program(user=places.user)} watch --config {sandbox.quoted(places.configuration)}",
    ]
    text = head(places, places.unit) + "\n".join(lines) + "\n"
    return text.replace("[Unit]\n\n", "")


def configuration(spec: ServiceSpec) -> str:
    """Return the service's TOML file: the existing one, or else the example, with these folders and this model.

    Raises:
        ServiceError: the existing file cannot be read or changed line by line.
    """
    path = spec.places.configuration
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = (SHIPPED / "example.toml").read_text(encoding="utf-8").replace("NAME", spec.places.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(f"{printable(path)} cannot be read: {error}. Fix it or move it away.") from error
    wanted = {"inbox": str(spec.inbox), "output": str(spec.output)}
    if spec.model is not None:
        wanted["model"] = str(spec.model)
    changed = _with(text, wanted)
    try:
        values = tomllib.loads(changed)
    except tomllib.TOMLDecodeError as error:
        raise ServiceError(f"{printable(path)} is not valid TOML: {error}. Fix it or move it away.") from error
    if any(values.get(key) != value for key, value in wanted.items()):
        raise ServiceError(
            f"In {printable(path)} inbox, output and model must each be one line. Fix it or move it away."
        )
    return changed


def _with(text: str, values: Mapping[str, str]) -> str:
    """Set keys in a TOML text, in the line where they are, or where they are commented out."""
    for key, value in values.items():
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"  # a JSON string is a TOML string
        for pattern in (rf"^{key}\s*=.*$", rf"^#\s*{key}\s*=.*$"):
            text, found = re.subn(pattern, lambda _, line=line: line, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
            if found:
                break
        else:
            text = f"{line}\n{text}"
    return text


def program(*, user: bool) -> str:
    """Return the command of the running phototriage, as a word of a unit file.

    Raises:
        ServiceError: it is not installed, or it is in a folder that a service does not see.
    """
    path = Path(sys.prefix) / "bin" / "phototriage"
    if not path.is_file():
        raise ServiceError(
            f"{path} does not exist, because this phototriage runs from {CODE_FOLDER} without being installed into an "
            "environment. Install it (see the README), and run the installed one."
        )
    if not user:
        check_reach(path)
    return sandbox.quoted(path).replace("$", "$$")
