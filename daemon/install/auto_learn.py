"""The daily learning of a service: its unit and its timer, which `service install --auto-learn` adds."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.install import sandbox, texts
from daemon.install.places import Places
from daemon.install.record import Record
from daemon.install.service_spec import ServiceSpec
from daemon.install.steps import Command, File, Folder, Step, output

CACHES = Path("/var/cache/phototriage")
"""Where CacheDirectory= of the unit puts the features of a service's photos."""


def steps(spec: ServiceSpec, *, start: bool) -> Iterator[Step]:
    """Yield the steps that add the learning to a service.

    Args:
        spec: the service.
        start: whether the timer begins now; otherwise with the machine.
    """
    places = spec.places
    shared = [File(path, texts.shipped(path.name, user=places.user), as_shipped=True) for path in places.learning]
    files = [*shared, File(places.learn_drop_in, drop_in(spec))]
    if not places.learn_drop_in.parent.is_dir():
        yield Folder(places.learn_drop_in.parent)
    yield from files
    changed = not all(file.is_done() for file in files)
    if start:
        yield Command((*places.systemctl, "daemon-reload"), lambda: not changed)
    now = ("--now",) if start else ()
    yield Command((*places.systemctl, "enable", *now, places.learn_timer), lambda: _is_on(places, start=start))


def drop_in(spec: ServiceSpec) -> str:
    """Return the settings of one service's learning: its user, what it sees, and its phototriage."""
    places = spec.places
    which = ("--inbox", sandbox.quoted(spec.inbox)) if places.user else ("--for", places.name)
    lines = ["[Unit]", *sandbox.mounts(spec), "", "[Service]"]
    if not places.user:
        lines += [f"User={spec.runs_as.name}", f"Group={spec.runs_as.group}", *sandbox.readable_paths(spec)]
    program = texts.program(user=places.user)
    lines += ["ExecStart=", f"ExecStart={program} learn --auto {' '.join(which)}"]
    text = texts.head(places, places.learn_unit) + "\n".join(lines) + "\n"
    return text.replace("[Unit]\n\n", "")


def was_added(places: Places, record: Record) -> bool:
    """Return whether a service was installed with it."""
    return os.fspath(places.learn_drop_in) in record.files


def forget_kept(places: Places) -> None:
    """Remove the features of a service's photos, and systemd's note of when the timer ran last.

    The features of a user's own service stay: they are in that user's cache.
    """
    with suppress(OSError):
        (places.timers / f"stamp-{places.learn_timer}").unlink()
    if not places.user:
        shutil.rmtree(CACHES / places.name, ignore_errors=True)
        with suppress(OSError):  # another service's are there
            CACHES.rmdir()


def _is_on(places: Places, *, start: bool) -> bool:
    questions = ("is-enabled", "is-active") if start else ("is-enabled",)
    return all(output(*places.systemctl, "--quiet", one, places.learn_timer).returncode == 0 for one in questions)
