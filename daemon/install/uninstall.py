"""Uninstall a service: remove what the installation wrote, unless it was changed afterwards. Photos stay."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.install.auto_learn import forget_kept, was_added
from daemon.install.errors import ServiceError
from daemon.install.places import Places
from daemon.install.record import Record, forget, load, others
from daemon.install.steps import output


class Removal(NamedTuple):
    """One step of an uninstallation."""

    description: str
    do: Callable[[], None]


def installed(places: Places) -> Record:
    """Return the record of what was installed.

    Raises:
        ServiceError: nothing was installed under this name.
    """
    record = load(places)
    if record is None:
        names = ", ".join(others(places)) or "none"
        raise ServiceError(f"`service install` has not installed a service {places.name} here. Installed: {names}.")
    return record


def removals(places: Places, record: Record, *, purge: bool) -> list[Removal]:
    """Return the removals in order. Files that another service here needs are left."""
    kept = {path for path in record.files if path in _needed_by_others(places)}
    files = [path for path in record.files if path not in kept and record.is_unchanged(path)]
    learns = was_added(places, record)
    found = [_command(*places.systemctl, "disable", "--now", places.learn_timer)] if learns else []
    found += [_command(*places.systemctl, "stop", places.learn_unit)] if learns else []
    found.append(_command(*places.systemctl, "disable", "--now", places.unit))
    found += [Removal(f"remove {printable(path)}", Path(path).unlink) for path in files]
    found += [Removal(f"remove {printable(path)}, if it is empty", _remover(path)) for path in reversed(record.folders)]
    found.append(_command(*places.systemctl, "daemon-reload"))
    if learns:
        found.append(Removal("remove the features of photos that learning kept", lambda: forget_kept(places)))
    if purge:
        description = f"remove {printable(record.state)}: the ledger; no photo can be undone after that"
        found.append(Removal(description, lambda: shutil.rmtree(record.state, ignore_errors=True)))
    return [*found, Removal("remove the record of the installation", lambda: forget(places))]


def leftovers(places: Places, record: Record, *, purge: bool) -> Iterator[str]:
    """Yield sentences about what stays, and why."""
    shared = _needed_by_others(places)
    for path in record.files:
        if path in shared:
            yield f"{printable(path)} stays, because another service needs it"
        elif os.path.lexists(path) and not record.is_unchanged(path):
            yield f"{printable(path)} stays, because it was changed after the installation"
    if not purge and os.path.isdir(record.state):  # noqa: PTH112
        yield f"the ledger in {printable(record.state)} stays (--purge-state removes it)"
    yield from dict.fromkeys(record.left)


def _needed_by_others(places: Places) -> set[str]:
    found: set[str] = set()
    for name in others(places):
        one = replace(places, name=name)
        other = load(one)
        found.update(other.files if other else ())
        found.update(map(os.fspath, places.shared) if other else ())
        found.update(map(os.fspath, places.learning) if other and was_added(one, other) else ())
    return found


def _command(*words: str) -> Removal:
    def run() -> None:
        output(*words)  # failures are ignored: the service may be gone, or systemd may not run

    return Removal(f"run: {' '.join(words)}", run)


def _remover(path: str) -> Callable[[], None]:
    def remove() -> None:
        with suppress(OSError):  # not empty, or gone
            Path(path).rmdir()

    return remove
