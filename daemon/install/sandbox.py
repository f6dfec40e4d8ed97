"""Lines of a unit: what the service may see and write. Everything else is closed by the unit that ships."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from daemon.install.errors import ServiceError
from daemon.install.places import HOUSE
from daemon.install.service_spec import ServiceSpec, common_parent, homes

_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""


def paths(wish: ServiceSpec) -> list[str]:
    """Return the lines that open the service's folders, and what it is made of where that lies in a home."""
    parent = common_parent(wish.inbox, wish.output)
    writable = outermost([parent] if parent else [wish.inbox, wish.output])
    readable = outermost(_hidden([*program_folders(), *([_folder_of(wish.model)] if wish.model else [])]))
    lines = [f"ReadWritePaths={quoted(path)}" for path in writable]
    if not _hidden(writable) and not readable:
        return lines
    lines += ["ProtectHome=tmpfs"]
    lines += [f"BindPaths={quoted(path)}" for path in _hidden(writable)]
    return lines + [
        f"BindReadOnlyPaths={quoted(path)}"
        for path in readable
        if not any(path.is_relative_to(other) for other in writable)
    ]


def mounts(wish: ServiceSpec) -> list[str]:
    """Return the lines that start the service after the mounts of its folders, also after such as nobody waits for."""
    points = sorted({_mount_point(path) for path in (wish.inbox, wish.output)} - {Path("/")})
    units = " ".join(mount_unit(point) for point in points)
    return [f"Wants={units}", f"After={units}"] if units else []


def program_folders() -> list[Path]:
    """Return the folders that this phototriage runs from: its environment, the Python below it, and the rooms."""
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    return [*prefixes, *(path.resolve() for path in prefixes), HOUSE]


def mount_unit(point: Path) -> str:
    r"""Return the name of a mount's unit: `/` becomes `-`, and what a name may not hold `\xNN` (systemd.unit(5))."""
    plain = os.fsencode(point).strip(b"/")
    parts = [_escaped(byte, first=place == 0) for place, byte in enumerate(plain)]
    return "".join(parts) + ".mount"


def quoted(path: Path) -> str:
    """Return a path as one word of a unit file; between the quotes blanks and colons are nothing special."""
    return '"' + os.fspath(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that lie in no other of them, each once."""
    ordered = sorted(set(paths))
    return [path for path in ordered if not any(other != path and path.is_relative_to(other) for other in ordered)]


def _escaped(byte: int, *, first: bool) -> str:
    character = chr(byte)
    if character == "/":
        return "-"
    if byte < 128 and (character.isalnum() or character in ":_" or (character == "." and not first)):
        return character
    return f"\\x{byte:02x}"


def _hidden(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if any(path.is_relative_to(home) for home in _HIDDEN)]


def _folder_of(model: Path) -> Path:
    """Return what must be seen of a model: its folder, for a new one takes its place by a rename."""
    if model.parent in set(homes()):
        raise ServiceError(
            f"The service would see all of {model.parent}, where the model lies. Put it into a folder of its own."
        )
    return model.parent


def _mount_point(path: Path) -> Path:
    while not os.path.ismount(path):
        path = path.parent
    return path
