"""Lines of a unit that allow the service to see and write its folders. The shipped unit closes everything else."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from daemon.install.errors import ServiceError
from daemon.install.places import CODE_FOLDER
from daemon.install.service_spec import ServiceSpec, common_parent, homes

_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""Folders that ProtectHome= hides."""


def paths(spec: ServiceSpec) -> list[str]:
    """Return the lines that open the service's folders, and its program and model if they are in a home."""
    writable = _photo_folders(spec)
    readable = outermost(_hidden(_program_and_model(spec)))
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


def readable_paths(spec: ServiceSpec) -> list[str]:
    """Return the lines that show the same folders to a unit that writes to none of them."""
    hidden = outermost(_hidden([*_photo_folders(spec), *_program_and_model(spec)]))
    return [*(["ProtectHome=tmpfs"] if hidden else []), *(f"BindReadOnlyPaths={quoted(path)}" for path in hidden)]


def mounts(spec: ServiceSpec) -> list[str]:
    """Return the lines that start the service after the mounts of its folders, even nofail mounts."""
    points = sorted({_mount_point(path) for path in (spec.inbox, spec.output)} - {Path("/")})
    units = " ".join(mount_unit(point) for point in points)
    return [f"Wants={units}", f"After={units}"] if units else []


def program_folders() -> list[Path]:
    """Return the folders that phototriage runs from: its environment, the base Python, and its packages."""
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    return [*prefixes, *(path.resolve() for path in prefixes), CODE_FOLDER]


def mount_unit(point: Path) -> str:
    r"""Return the name of a mount's unit: `/` becomes `-`, and what a name may not hold `\xNN` (systemd.unit(5))."""
    plain = os.fsencode(point).strip(b"/")
    parts = [_escaped(byte, first=place == 0) for place, byte in enumerate(plain)]
    return "".join(parts) + ".mount"


def quoted(path: Path) -> str:
    """Return a path as one word of a unit file; between quotes, blanks and colons have no special meaning."""
    return '"' + os.fspath(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that are inside no other path of the list, each once."""
    ordered = sorted(set(paths))
    return [path for path in ordered if not any(other != path and path.is_relative_to(other) for other in ordered)]


def _photo_folders(spec: ServiceSpec) -> list[Path]:
    parent = common_parent(spec.inbox, spec.output)
    return outermost([parent] if parent else [spec.inbox, spec.output])


def _program_and_model(spec: ServiceSpec) -> list[Path]:
    return [*program_folders(), *([_folder_of(spec.model)] if spec.model else [])]


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
    """Return the model's folder: a new model replaces the old one by a rename, so the service must see the folder."""
    if model.parent in set(homes()):
        raise ServiceError(
            f"The model is in the home folder {model.parent}, and the service would see all of it. Put the model into "
            "a folder of its own."
        )
    return model.parent


def _mount_point(path: Path) -> Path:
    while not os.path.ismount(path):
        path = path.parent
    return path
