"""The way back: what an installation wrote is removed, as long as it is still what was written; photos stay."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from contract.text import printable
from daemon.install.errors import ServiceError
from daemon.install.places import Places
from daemon.install.record import Record, forget, load, others
from daemon.install.steps import output


class Removal(NamedTuple):
    """One thing to take back, in words and as a deed."""

    tell: str
    do: Callable[[], None]


def installed(places: Places) -> Record:
    """Return what was installed.

    Raises:
        ServiceError: nothing, under this name.
    """
    record = load(places)
    if record is None:
        names = ", ".join(others(places)) or "none"
        raise ServiceError(f"`service install` has made no service {places.name} here. It has made: {names}.")
    return record


def removals(places: Places, record: Record, *, purge: bool) -> list[Removal]:
    """Return what will be taken back, in order; files that another service here needs too are left."""
    kept = {path for path in record.files if path in _needed_by_others(places)}
    files = [path for path in record.files if path not in kept and record.is_unchanged(path)]
    found = [_command(*places.systemctl, "disable", "--now", places.unit)]
    found += [Removal(f"remove {printable(path)}", Path(path).unlink) for path in files]
    found += [Removal(f"remove {printable(path)}, if it is empty", _remover(path)) for path in reversed(record.folders)]
    found.append(_command(*places.systemctl, "daemon-reload"))
    if purge:
        tell = f"remove {printable(record.state)}: the ledger, by which photos could be taken back"
        found.append(Removal(tell, lambda: shutil.rmtree(record.state, ignore_errors=True)))
    return [*found, Removal("forget that it was installed", lambda: forget(places))]


def leftovers(places: Places, record: Record, *, purge: bool) -> Iterator[str]:
    """Yield in words what stays, and why."""
    shared = _needed_by_others(places)
    for path in record.files:
        if path in shared:
            yield f"{printable(path)} stays, for another service needs it"
        elif os.path.lexists(path) and not record.is_unchanged(path):
            yield f"{printable(path)} stays, for it was changed since"
    if not purge and os.path.isdir(record.state):  # noqa: PTH112
        yield f"the ledger in {printable(record.state)} stays (--purge-state removes it)"
    yield from dict.fromkeys(record.left)


def _needed_by_others(places: Places) -> set[str]:
    found: set[str] = set()
    for name in others(places):
        other = load(Places(name, places.user, places.units, places.configurations, places.records))
        found.update(other.files if other else ())
        found.update(map(os.fspath, places.shared) if other else ())
    return found


def _command(*words: str) -> Removal:
    def run() -> None:
        output(*words)  # a service that is gone, or a system without systemd, is taken back all the same

    return Removal(f"run: {' '.join(words)}", run)


def _remover(path: str) -> Callable[[], None]:
    def remove() -> None:
        with suppress(OSError):  # not empty, or gone
            Path(path).rmdir()

    return remove
